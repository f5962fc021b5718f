/* What must stand in every match of a pattern. */
#include "table/bigrams.h"
#include "t/lib/tap.h"

static bool ruled_out(const char *pattern, const char *subject)
{
	struct bigrams need, have;

	bigrams_of_pcre(&need, str_of(pattern));
	bigrams_of_subject(&have, str_of(subject));
	return bigrams_missing(&need, &have);
}

static bool empty(const char *pattern)
{
	struct bigrams need, none = {{0}};

	bigrams_of_pcre(&need, str_of(pattern));
	return !bigrams_missing(&need, &none);
}

int main(void)
{
	ok(ruled_out("^Subject:.*viagra", "From: somebody"), "no pair of it");
	ok(ruled_out("^Subject:.*viagra", "Subject: agenda"), "only the first run");
	ok(!ruled_out("^Subject:.*viagra", "SUBJECT: Viagra"), "case does not matter");
	ok(!ruled_out("colou?r", "color"), "an optional letter");
	ok(!ruled_out("colou*r", "color"), "a repeated one that may be missing");
	ok(ruled_out("colou+r", "clr"), "what comes before a repeated one");
	ok(!ruled_out("ab{0}c", "ac"), "a counted one");
	ok(!ruled_out("foo(bar)?baz", "foobaz"), "groups are not looked at");
	ok(ruled_out("foo(bar)?baz", "foobar"), "but what stands around them");
	ok(!ruled_out("a\\.b", "A.B") && ruled_out("a\\.b", "a-b"), "an escaped character");
	ok(empty("foo|bar"), "alternatives");
	ok(empty("(?i)foo"), "options");
	ok(empty("\\Qfoo\\E"), "quoting");
	ok(empty("foo\\x41"), "escapes that name a character");
	ok(empty("(*UTF8)foo"), "verbs");
	ok(empty("a"), "a single character");
	ok(!ruled_out("x[]a]y", "x]y"), "a class with ] first");
	ok(!ruled_out("x[[:digit:]]y", "x1y"), "a class with a name in it");
	done();
}
