/* pcre: Perl-compatible regular expressions (PCRE2), compiled to machine code where that is
 * possible. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/mem.h"
#include "table/pattern.h"
#include <pcre2.h>
#include <stdlib.h>

/* What a hostile subject may cost with a careless pattern. */
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 20000
#define HEAP_KIB    20000
#define JIT_STACK   (1024 * 1024) /* grows to this; machine code would use the coroutine's else */

static pcre2_match_context *context;
static pcre2_match_data *match_data;

static void init(void)
{
	if (context)
		return;
	context = pcre2_match_context_create(NULL);
	match_data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	pcre2_set_match_limit(context, MATCH_LIMIT);
	pcre2_set_depth_limit(context, DEPTH_LIMIT);
	pcre2_set_heap_limit(context, HEAP_KIB);
	pcre2_jit_stack_assign(context, NULL, pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL));
}

static int parse_flags(str flags, uint32_t *out, struct err *err)
{
	*out = PCRE2_CASELESS | PCRE2_DOTALL;
	for (size_t i = 0; i < flags.n; i++) {
		switch (flags.p[i]) {
		case 'i':
			*out ^= PCRE2_CASELESS;
			break;
		case 'm':
			*out ^= PCRE2_MULTILINE;
			break;
		case 's':
			*out ^= PCRE2_DOTALL;
			break;
		case 'x':
			*out ^= PCRE2_EXTENDED;
			break;
		case 'A':
			*out ^= PCRE2_ANCHORED;
			break;
		case 'E':
			*out ^= PCRE2_DOLLAR_ENDONLY;
			break;
		case 'U':
			*out ^= PCRE2_UNGREEDY;
			break;
		case 'X': /* PCRE2 always does what it asked for */
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
	pcre2_code *code;
	PCRE2_SIZE at;
	uint32_t f, n = 0;
	int rc;

	(void)want_groups;
	init();
	if (parse_flags(flags, &f, err) != 0)
		return NULL;
	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, f, &rc, &at, NULL);
	if (!code) {
		PCRE2_UCHAR why[200];

		pcre2_get_error_message(rc, why, sizeof(why));
		err_set(err, "error in regex at offset %zu: %s", (size_t)at, (const char *)why);
		return NULL;
	}
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* else it is interpreted */
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n);
	*groups = n;
	return code;
}

static void required(str pattern, str flags, struct bigrams *need)
{
	if (str_chr(flags, 'x') >= 0) /* white space may be none, # a comment */
		memset(need, 0, sizeof(*need));
	else
		bigrams_of_pcre(need, pattern);
}

static void free_code(void *compiled)
{
	pcre2_code_free(compiled);
}

static int exec(void *compiled, str subject, struct pattern_match *m, struct err *err)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(match_data);
	int rc = pcre2_match(compiled, (PCRE2_SPTR)subject.p, subject.n, 0, 0, match_data, context);

	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc < 0) {
		PCRE2_UCHAR why[200];

		pcre2_get_error_message(rc, why, sizeof(why));
		return err_set(err, "pattern match failed: %s", (const char *)why);
	}
	m->n = rc == 0 ? PATTERN_GROUPS : (size_t)rc;
	for (size_t i = 0; i < 2 * m->n; i++)
		m->at[i] = v[i];
	return 1;
}

static const struct pattern_engine engine = {
    .type = "pcre",
    .skipping = "ignoring this rule",
    .compile = compile,
    .free = free_code,
    .required = required,
    .exec = exec,
};

static void *load(struct table *t, struct err *err)
{
	return pattern_load(t, &engine, err);
}

const struct table_type table_type_pcre = {
    .name = "pcre",
    .load = load,
    .unload = pattern_unload,
    .get = pattern_get,
};
