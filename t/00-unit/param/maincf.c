#include "param/maincf.h"
#include "t/lib/tap.h"

static int warnings;
static char last[1000];

static void warn(const char *text)
{
	warnings++;
	snprintf(last, sizeof(last), "%s", text);
}

static void test_good(void)
{
	struct maincf m = {0};
	struct err err = {0};
	const char *text = "# comment\n"
			   "\n"
			   "a = 1\r\n"
			   "  b=2   \n" /* continues a */
			   "empty =\n"
			   "list =\n"
			   "  one,\n"
			   "# between\n"
			   "   \n"
			   "\t# between too\n"
			   "\ttwo  \n"
			   "odd-name.x   =   a = b # c\n"
			   "a=again";

	is_int(maincf_parse(&m, "main.cf", str_of(text), warn, &err), 0, "parses");
	is_int((int)m.names.count, 4, "four names");
	is_cstr(maincf_get(&m, STR("a"))->value, "again", "the last value counts");
	is_int(maincf_get(&m, STR("a"))->line, 13, "its line");
	is_cstr(maincf_get(&m, STR("empty"))->value, "", "empty value");
	is_cstr(
	    maincf_get(&m, STR("list"))->value, "one,\ttwo", "comments between continuation lines");
	is_int(maincf_get(&m, STR("list"))->line, 6, "line where it begins");
	is_cstr(maincf_get(&m, STR("odd-name.x"))->value, "a = b # c", "only the first = counts");
	ok(!maincf_get(&m, STR("b")), "a continuation line is no assignment");
	is_int(warnings, 1, "one warning");
	is_cstr(last, "main.cf, line 13: overriding earlier entry: a=1\\r  b=2",
	    "for the doubled name");
	maincf_free(&m);
}

static void bad(str text, const char *why)
{
	struct maincf m = {0};
	struct err err = {0};

	is_int(maincf_parse(&m, "f", text, warn, &err), -1, why);
	is_cstr(err.text, why, "  and says why");
	maincf_free(&m);
}

int main(void)
{
	struct maincf m = {0};

	test_good();
	bad(STR("a = 1\nnothing here\n"),
	    "f, line 2: missing '=' after attribute name: \"nothing here\"");
	bad(STR("\n\n= x"), "f, line 3: missing attribute name: \"= x\"");
	bad(STR("two words = x\n"),
	    "f, line 1: missing '=' after attribute name: \"two words = x\"");
	bad(STR("a = x\0y\n"), "f, line 1: line has a NUL byte");
	bad(STR("a\n  = 1\nb"), "f, line 3: missing '=' after attribute name: \"b\"");
	warnings = 0;
	is_int(maincf_parse(&m, "f", STR("  a = 1\n  b = 2\nc = 3\n"), warn, NULL), 0,
	    "white space first");
	is_int(warnings, 1, "draws a warning");
	ok(!maincf_get(&m, STR("a")) && maincf_get(&m, STR("c")), "and is left out");
	maincf_free(&m);
	is_int(maincf_parse(&m, "f", STR(""), warn, NULL), 0, "empty file");
	maincf_free(&m);
	return done();
}
