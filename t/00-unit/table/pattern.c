/* regexp and pcre. */
#include "tabletest.h"

static const char text[] = "# c\n"
			   "/^a(.*)z$/  [$1] ${1}x $$ $(1)\n"
			   "if /^b/\n"
			   "/c$/\tbc\n"
			   "if /n/\n"
			   "/nested/ deep\n"
			   "endif\n"
			   "!/d/ not-d\n"
			   "endif\n"
			   "if !/^q/\n"
			   "/^(k)(e)y$/ $2$1\n"
			   "ENDIF\n"
			   "/^Case/i flipped\n"
			   "/case2/ folded\n"
			   "/^multi/\n  line one\n  line two\n"
			   "|^sl/ash|  bar\n"
			   "/^opt(x)?(y)$/ <$1$2>\n"
			   "/^es\\/c$/ escaped\n"
			   "!!/^twice$/ double\n";

static void test_both(void)
{
	static const struct {
		const char *key, *want;
	} t[] = {
	    {"AmidZ", "[mid] midx $ mid"},
	    {"bxc", "bc"},
	    {"b nested d", "deep"},
	    {"bx", "not-d"},
	    {"bd", "(none)"},
	    {"key", "ek"},
	    {"qkey", "(none)"},
	    {"case", "(none)"},
	    {"Case", "flipped"},
	    {"xCASE2x", "folded"},
	    {"multiple", "line one  line two"},
	    {"sl/ash", "bar"},
	    {"opty", "<y>"},
	    {"optxy", "<xy>"},
	    {"es/c", "escaped"},
	    {"twice", "double"},
	};

	spew("re", text);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_cstr(ask("regexp:re", t[i].key), t[i].want, t[i].key);
		is_cstr(ask("pcre:re", t[i].key), t[i].want, t[i].key);
	}
}

static void test_bad_rules(void)
{
	static const char *const bad[] = {"/[/ x", "/(x/ y", "/x/ $1", "nopattern x", "/y/q z",
	    "/ok/ ${1", "/ok/ $(x)", "/ok/ cost $", "/open x", "!", "if", "if /[/", "!/(neg)/ $1",
	    "/(a)/ $2", "/(a)/ $999999999999999999999", "/(a)/ $0", "endif"};
	char file[200], spec[220];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (int p = 0; p < 2; p++) {
			snprintf(file, sizeof(file), "bad%zu", i);
			snprintf(spec, sizeof(spec), "%s:%s", p ? "pcre" : "regexp", file);
			spew(file, bad[i]);
			{
				char more[300];

				snprintf(more, sizeof(more), "%s\n/end/ good\n", bad[i]);
				spew(file, more);
			}
			is_cstr(ask(spec, "end"), "good", bad[i]);
			is_cstr(ask(spec, "other"), "(none)", bad[i]);
		}
	}
	spew("noif", "if /a/\n/b/ x\n");
	asks("regexp:noif", "ab", "x");
	asks("regexp:noif", "b", "(none)");
	asks("regexp:missing", "b", "(error)");
	is_cstr(
	    ask_flags("pcre:{{/(a)/ $1} {/a/ x}}", "a", TABLE_NO_REGSUB), "x", "no substitution");
}

static void test_inline_rules(void)
{
	asks("regexp:{{/k/ x}}", "k", "x");
	asks("pcre:{ { /k(.)/ <$1> }, {/a{2}/ two} }", "ky", "<y>");
	asks("pcre:{ { /k(.)/ <$1> }, {/a{2}/ two} }", "aa", "two");
	asks("pcre:{ { /k/ x } /a/ }", "k", "(error)");
	asks("pcre:{", "k", "(error)");
	asks("regexp:{}", "k", "(none)");
}

static void test_flags(void)
{
	asks("pcre:{{/^a.b$/ y}}", "a\nb", "y");
	asks("pcre:{{/^a.b$/s y}}", "a\nb", "(none)");
	asks("pcre:{{/^b$/m y}}", "a\nb", "y");
	asks("pcre:{{/^b$/ y}}", "a\nb", "(none)");
	asks("pcre:{{/a b/x y}}", "ab", "y");
	asks("pcre:{{/b/A y}}", "ab", "(none)");
	asks("pcre:{{/b$/E y}}", "b\n", "(none)");
	asks("pcre:{{/b$/ y}}", "b\n", "y");
	asks("pcre:{{/(b+)/U <$1>}}", "bbb", "<b>");
	asks("pcre:{{/b/X y}}", "b", "y");
	asks("regexp:{{/^b$/m y}}", "a\nb", "y");
	asks("regexp:{{/(b)/x y}}", "(b)", "y");
	is_cstr(ask_flags("pcre:{{/\\xff(.*)/ <$1>}}",
		    "a\xff"
		    "b",
		    0),
	    "<b>", "bytes that are no UTF-8");
}

/* A pattern that goes wrong with a subject made for it. */
static void test_evil(void)
{
	char *evil = malloc(100001);
	const char *r;

	memset(evil, 'a', 100000);
	evil[100000] = '\0';
	r = ask("pcre:{{/^(a+)+$x/ y}}", evil);
	ok(strcmp(r, "(none)") == 0 || strcmp(r, "(error)") == 0, "an evil pattern ends");
	r = ask("pcre:{{/^(?:(a)|b)*$/ y}}", evil);
	ok(strcmp(r, "y") == 0 || strcmp(r, "(error)") == 0, "a deep one too");
	is_cstr(ask("regexp:{{/^(a|b)*$/ y}}", evil), "y", "a long subject");
	is_cstr(ask("regexp:{{/^((a)|b)*c$/ y}}", evil), "(none)", "and one that does not match");
	free(evil);
}

static void run(void *arg)
{
	(void)arg;
	test_both();
	test_bad_rules();
	test_inline_rules();
	test_flags();
	test_evil();
}

int main(void)
{
	return table_tests(run, "");
}
