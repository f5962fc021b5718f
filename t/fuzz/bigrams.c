/* A pattern and a subject, on two lines: what matches must never be ruled out. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "table/bigrams.h"
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str subject = str_mem(data, size), pattern;
	static pcre2_match_context *limits;
	struct bigrams need, have;
	pcre2_match_data *m;
	pcre2_code *code;
	PCRE2_SIZE at;
	int rc;

	if (!limits) {
		limits = pcre2_match_context_create(NULL);
		pcre2_set_match_limit(limits, 10000);
	}
	if (size > 4096 || !str_split(&subject, '\n', &pattern) || !subject.p)
		return 0;
	code = pcre2_compile(
	    (PCRE2_SPTR)pattern.p, pattern.n, PCRE2_CASELESS | PCRE2_DOTALL, &rc, &at, NULL);
	if (!code)
		return 0;
	bigrams_of_pcre(&need, pattern);
	bigrams_of_subject(&have, subject);
	m = pcre2_match_data_create(1, NULL);
	rc = pcre2_match(code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, m, limits);
	if (rc >= 0 && bigrams_missing(&need, &have))
		abort();
	pcre2_match_data_free(m);
	pcre2_code_free(code);
	return 0;
}
