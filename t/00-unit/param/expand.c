#include "param/expand.h"
#include "t/lib/tap.h"

static const char *look(void *ctx, str name)
{
	if (ctx && str_eq(name, STR("count")))
		++*(int *)ctx;
	if (str_eq(name, STR("set")))
		return "value";
	if (str_eq(name, STR("ten")))
		return "10";
	if (str_eq(name, STR("dollar")))
		return "$set";
	return str_eq(name, STR("empty")) ? "" : NULL;
}

static void good(const char *text, const char *want)
{
	struct buf out = {0};
	struct err err = {0};
	int r = expand_text(&out, str_of(text), look, NULL, &err);

	if (r != 0)
		printf("# %s\n", err.text);
	is_cstr(r == 0 ? buf_text(&out) : "(error)", want, text);
	buf_free(&out);
}

static void bad(const char *text, const char *why)
{
	struct buf out = {0};
	struct err err = {0};

	ok(expand_text(&out, str_of(text), look, NULL, &err) == -1, text);
	is_cstr(err.text, why, "  and says why");
	buf_free(&out);
}

static void test_good(void)
{
	good("", "");
	good("no dollar", "no dollar");
	good("$set-${set}-$(set)", "value-value-value");
	good("$nope${nope}$(empty)", "");
	good("$set.x", "value.x");
	good("$$set $$$$", "$set $$");
	good("$dollar", "$set");
	good("${set?a}${empty?b}${nope?c}", "a");
	good("${set:a}${empty:b}${nope:c}", "bc");
	good("${set?{a}:{b}} ${empty?{a}:{b}}", "a b");
	good("${set?{a}:b} ${empty?{a}:b c}", "a b c");
	good("${set?a:b}", "a:b");
	good("${ set ? {a} : {b} }", "a");
	good("x${empty: a }x", "x a x");
	good("x${empty:{ a }}x", "x a x");
	good("${set?{${empty:{${set}!}}}}", "value!");
	good("${set?{}}", "");
	good("${{a} == {a} ? {y} : {n}}", "y");
	good("${{a}!={a}?{y}:{n}}", "n");
	good("${{$ten} > {9} ? {y} : {n}}", "y");
	good("${{$ten} > {9x} ? {y} : {n}}", "n");
	good("${{a} <= {b} ? {y}}${{a} >= {b} ? {y}}${{a} < {b} : {n}}", "y");
	good("${{a} == {a}}", "true");
	good("${{a} == {b}}", "");
	good("${{3.10} >level {3.9} ? {y} : {n}}", "y");
	good("${{3.6} >=level {3.6.0} ? {y} : {n}}", "y");
	good("${{2} <level {3.6} ? {y} : {n}}", "y");
	good("${{3.7} ==level {3.7.0} ? {y} : {n}}", "y");
	good("${domain_to_ascii{Example.ORG}}", "Example.ORG");
	good("${domain_to_ascii{b\303\274cher.example}}", "xn--bcher-kva.example");
	good("}{)(", "}{)(");
}

static void test_bad(void)
{
	bad("$", "empty macro name: \"$\"");
	bad("$%", "empty macro name: \"$%\"");
	bad("a $ b", "empty macro name: \"a $ b\"");
	bad("${-}", "attribute name syntax error at: \"...>>>-\"");
	bad("${}", "empty macro name: \"${}\"");
	bad("${set", "truncated macro reference: \"${set\"");
	bad("$(set", "truncated macro reference: \"$(set\"");
	bad("${set?{a}", "truncated macro reference: \"${set?{a}\"");
	bad("${set-x}", "attribute name syntax error at: \"...set>>>-x\"");
	bad("${set?{a}x}", "\":\" expected at: \"...a}>>>x\"");
	bad("${set?{a}:{b}x}", "unexpected input at: \"...b}>>>x\"");
	bad("${{a} = {b}?{c}}", "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected "
				"at: \"...a}>>>= {b}?{c}\"");
	bad("${{a} ==}", "\"{expression}\" expected at: \"...{a} ==>>>\"");
	bad("${{a} == {a} {b}}", "\"?\" or \":\" expected at: \"...}>>>{b}\"");
	bad("${{x} <level {3}?{c}}", "malformed compatibility level syntax: \"x\"");
	bad("${{3.1.2.3} <level {3}?{c}}", "malformed compatibility level syntax: \"3.1.2.3\"");
	bad("${{} <level {3}?{c}}", "malformed compatibility level syntax: \"\"");
}

/* Groups in groups without end, and a value that grows without end. */
static void test_limits(void)
{
	struct buf deep = {0}, out = {0};
	struct err err = {0};

	for (int i = 0; i < 100000; i++)
		buf_cstr(&deep, "${nope:{");
	for (int i = 0; i < 100000; i++)
		buf_cstr(&deep, "}}");
	ok(expand_text(&out, buf_view(&deep), look, NULL, &err) == -1, "deep nesting is refused");
	buf_clear(&deep);
	buf_clear(&out);
	for (int i = 0; i < 1000000; i++)
		buf_cstr(&deep, "$set");
	ok(expand_text(&out, buf_view(&deep), look, NULL, &err) == -1,
	    "more than 4 MiB is refused");
	buf_free(&deep);
	buf_free(&out);
}

static void test_scan(void)
{
	int count = 0;

	ok(expand_scan(STR("${set?{$count}:{$count}}${{$count}=={x}?$count:x} ${count:{$count}}"),
	       look, &count, NULL) == 0,
	    "scan");
	is_int(count, 6, "names are found in both branches");
}

int main(void)
{
	test_good();
	test_bad();
	test_limits();
	test_scan();
	return done();
}
