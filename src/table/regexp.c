/* regexp: POSIX regular expressions (the C library's). */
#include "base/mem.h"
#include "table/pattern.h"
#include <regex.h>
#include <stdlib.h>

static int parse_flags(str flags, int *out, struct err *err)
{
	*out = REG_EXTENDED | REG_ICASE;
	for (size_t i = 0; i < flags.n; i++) {
		switch (flags.p[i]) {
		case 'i':
			*out ^= REG_ICASE;
			break;
		case 'm':
			*out ^= REG_NEWLINE;
			break;
		case 'x':
			*out ^= REG_EXTENDED;
			break;
		default:
			return err_set(
			    err, "unknown regexp option \"%c\": skipping this rule", flags.p[i]);
		}
	}
	return 0;
}

static void *compile(str pattern, str flags, bool want_groups, unsigned *groups, struct err *err)
{
	regex_t *re;
	char *text;
	int f, rc;

	if (parse_flags(flags, &f, err) != 0)
		return NULL;
	re = mem_zero(sizeof(*re));
	text = str_dup(pattern);
	rc = regcomp(re, text, want_groups ? f : f | REG_NOSUB);
	free(text);
	if (rc != 0) {
		char why[200];

		regerror(rc, re, why, sizeof(why));
		err_set(err, "%s", why);
		free(re);
		return NULL;
	}
	*groups = want_groups ? (unsigned)re->re_nsub : 0;
	return re;
}

static void free_re(void *compiled)
{
	regfree(compiled);
	free(compiled);
}

static int exec(void *compiled, str subject, struct pattern_match *m, struct err *err)
{
	const regex_t *re = compiled;
	/* There may be NULs in it. */
	static regmatch_t at[PATTERN_GROUPS];
	int rc;

	at[0].rm_so = 0;
	at[0].rm_eo = (regoff_t)subject.n;
	rc = regexec(re, subject.p, re->re_nsub < PATTERN_GROUPS ? re->re_nsub + 1 : PATTERN_GROUPS,
	    at, REG_STARTEND);
	if (rc == REG_NOMATCH)
		return 0;
	if (rc != 0) {
		char why[200];

		regerror(rc, re, why, sizeof(why));
		return err_set(err, "%s", why);
	}
	m->n = re->re_nsub < PATTERN_GROUPS ? re->re_nsub + 1 : PATTERN_GROUPS;
	for (size_t i = 0; i < m->n; i++) {
		m->at[2 * i] = at[i].rm_so < 0 ? SIZE_MAX : (size_t)at[i].rm_so;
		m->at[2 * i + 1] = at[i].rm_eo < 0 ? 0 : (size_t)at[i].rm_eo;
	}
	return 1;
}

static const struct pattern_engine engine = {
    .type = "regexp",
    .skipping = "skipping this rule",
    .terminate = true,
    .compile = compile,
    .free = free_re,
    .exec = exec,
};

static void *load(struct table *t, struct err *err)
{
	return pattern_load(t, &engine, err);
}

const struct table_type table_type_regexp = {
    .name = "regexp",
    .load = load,
    .unload = pattern_unload,
    .get = pattern_get,
};
