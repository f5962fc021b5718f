#include "../../lib/tap.h"

static void slices(void)
{
	ok(str_eq(STR("ab"), STR("ab")) && !str_eq(STR("ab"), STR("aB")), "equal");
	ok(str_eq_nocase(STR("aB-z"), STR("Ab-Z")) && !str_eq_nocase(STR("@"), STR("`")),
	    "equal but for case");
	ok(!str_eq_nocase(STR("\xc4"), STR("\xe4")), "only ASCII letters have case");
	ok(str_eq(str_of(NULL), STR("")) && str_eq((str){NULL, 0}, STR("")), "NULL is empty");
	ok(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")), "starts");
	ok(str_starts_nocase(STR("ABC"), STR("ab")), "starts but for case");
	ok(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")), "ends");
	ok(str_ends_nocase(STR("abC"), STR("Bc")), "ends but for case");
	ok(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("ab"), STR("a")) > 0 &&
		str_cmp(STR(""), STR("")) == 0 && str_cmp(STR("\xff"), STR("a")) > 0,
	    "order");
	is_str(str_from(STR("abc"), 1), STR("bc"), "from");
	is_str(str_from(STR("abc"), 9), STR(""), "from behind the end");
	is_str(str_head(STR("abc"), 2), STR("ab"), "head");
	is_str(str_trim(STR(" \t\r\n\v\fa b\n")), STR("a b"), "trim");
	is_str(str_trim(STR(" \n")), STR(""), "trim all");
	is_str(str_chomp(STR(" a\r\n\n")), STR(" a"), "chomp");
	is_str(str_chomp(STR("\n")), STR(""), "chomp all");
	is_int(str_chr(STR("a:b:c"), ':'), 1, "first");
	is_int(str_rchr(STR("a:b:c"), ':'), 3, "last");
	is_int(str_chr(STR(""), ':'), -1, "none");
	is_int(str_find(STR("abcabd"), STR("abd")), 3, "find");
	is_int(str_find(STR("ab"), STR("abc")), -1, "find more than there is");
	is_int(str_find(STR("ab"), STR("")), 0, "find nothing");
	ok(str_is_ascii(STR("a\x7f")) && !str_is_ascii(STR("\x80")), "ASCII");
	ok(str_is_digits(STR("09")) && !str_is_digits(STR("")) && !str_is_digits(STR("1a")),
	    "digits");
	ok(str_eq_secret(STR("s3cret"), STR("s3cret")) &&
		!str_eq_secret(STR("s3cret"), STR("s3creT")) &&
		!str_eq_secret(STR("s"), STR("ss")) && !str_eq_secret(STR("ss"), STR("s")) &&
		!str_eq_secret(STR("a"), STR("")) && str_eq_secret(STR(""), STR("")),
	    "secrets");
}

static void words(void)
{
	str rest = STR(" ,a, b  {c {d e}} {f"), word;

	ok(str_word(&rest, ", ", &word), "a word");
	is_str(word, STR("a"), "a");
	str_word_braced(&rest, ", ", &word);
	is_str(word, STR("b"), "b");
	str_word_braced(&rest, ", ", &word);
	is_str(word, STR("{c {d e}}"), "a group");
	str_word_braced(&rest, ", ", &word);
	is_str(word, STR("{f"), "a group that never closes");
	ok(!str_word_braced(&rest, ", ", &word), "the end");
	rest = STR("x} y");
	str_word_braced(&rest, " ", &word);
	is_str(word, STR("x}"), "a brace that was never opened");
	rest = STR("  ");
	ok(!str_word(&rest, " ", &word) && word.n == 0, "no word");
	rest = str_mem("a\0b", 3);
	str_word(&rest, " ", &word);
	is_int(word.n, 3, "NUL separates nothing");
	rest = STR("a,,b,");
	for (int i = 0; i < 4; i++)
		ok(str_split(&rest, ',', &word), "a part");
	is_str(word, STR(""), "the last is empty");
	ok(!str_split(&rest, ',', &word), "no fifth");
	rest = STR("");
	ok(str_split(&rest, ',', &word) && !str_split(&rest, ',', &word),
	    "one empty part of nothing");
}

static void numbers(void)
{
	uint64_t u = 7;
	int64_t i = 7;

	ok(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX, "the largest");
	ok(!str_to_u64(STR("18446744073709551616"), &u), "one more");
	ok(!str_to_u64(STR(""), &u) && !str_to_u64(STR("-1"), &u) && !str_to_u64(STR("1 "), &u),
	    "no numbers");
	ok(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX, "the largest signed");
	ok(!str_to_i64(STR("9223372036854775808"), &i), "one more, signed");
	ok(str_to_u64(STR("000"), &u) && u == 0, "zeros");
}

int main(void)
{
	char *copy = str_dup(STR("copy"));

	slices();
	words();
	numbers();
	is_cstr(copy, "copy", "a copy");
	free(copy);
	return done();
}
