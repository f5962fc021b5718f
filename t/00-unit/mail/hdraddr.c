#include "mail/hdraddr.h"

#include "../../lib/tap.h"

/* Completes addresses without domain, and hosts without dot. */
static bool complete(void *ctx, str address, struct buf *out)
{
	ptrdiff_t at = str_rchr(address, '@');
	struct buf *seen = ctx;

	if (seen)
		buf_printf(seen, "%s%.*s", seen->n ? "|" : "", STR_FMT(address));
	if (!out)
		return false;
	if (at < 0)
		buf_printf(out, "%.*s@o.test", STR_FMT(address));
	else if (str_chr(str_from(address, (size_t)at), '.') < 0)
		buf_printf(out, "%.*s.e.test", STR_FMT(address));
	else
		return false;
	return true;
}

static const char *const rewrites[][2] = {
    {"amy, Bob <bob@host>, \"odd one\"@host, carl@far.test",
	"amy@o.test, Bob <bob@host.e.test>, \"odd one\"@host.e.test,\n\tcarl@far.test"},
    {"Boss (chief) <boss>", "Boss (chief) <boss@o.test>"},
    {"<@relay.test:dora@host>", "<dora@host.e.test>"},
    {"<@a,@b:dora@host>", "<dora@host.e.test>"},
    {"group: amy, bob@host;", "group: amy@o.test, bob@host.e.test;"},
    {"undisclosed-recipients:;", NULL},
    {"g1: a, b; g2: c;", "g1: a@o.test, b@o.test;, g2: c@o.test;"},
    {"g1: a;, c", "g1: a@o.test;, c@o.test"},
    {"\"quoted group\": a;", "\"quoted group\": a@o.test;"},
    {"a", "a@o.test"},
    {"a,b", "a@o.test, b@o.test"},
    {"a,,b,", "a@o.test, b@o.test"},
    {",a", "a@o.test"},
    {"a b c", "a@o.test, b@o.test, c@o.test"},
    {"\"Amy, the X\" <amy>", "\"Amy, the X\" <amy@o.test>"},
    {"Amy \"the\" X <amy@host> (note)", "Amy \"the\" X <amy@host.e.test> (note)"},
    {"(pre) amy (post)", "(pre) amy@o.test (post)"},
    {"amy (nested (c) ok)", "amy@o.test (nested (c) ok)"},
    {"amy (never ends", "amy@o.test (never ends)"},
    {"amy (never (ends\\", "amy@o.test (never (ends\\\\))"},
    {"amy(c)@host", "amy@host.e.test (c)"},
    {"\"a@b\", amy", "\"a@b\", amy@o.test"},
    {"Name <\"a@b\">", NULL},
    {"\"amy\"@far.test", "amy@far.test"},
    {"\"never ends", "\"never ends\"@o.test"},
    {"a, <amy", "a@o.test, <, amy@o.test"},
    {"<>", NULL},
    {"<>, amy", "<>, amy@o.test"},
    {"amy @ host . x", NULL},
    {"amy@[1.2.3.4], bob", "amy@[1.2.3.4], bob@o.test"},
    {"J. R. Smith <amy>", "J. R. Smith <amy@o.test>"},
    {"J\xc3\xbcrg M. <amy>", "J\xc3\xbcrg M. <amy@o.test>"},
    {"=?utf-8?q?J=C3=BCrg?= <amy>", "=?utf-8?q?J=C3=BCrg?= <amy@o.test>"},
    {"amy,\n bob,\n\tcarl", "amy@o.test, bob@o.test, carl@o.test"},
    {"amy,\r\n \"Bob\r\n B\" <bob>", "amy@o.test, \"Bob B\" <bob@o.test>"},
    {"x:y@host", "\"x:y\"@host.e.test"},
    {"a: b, c", "\"a:b\"@o.test, c@o.test"},
    {"\"plain\"@host", "plain@host.e.test"},
    {"a\\ b@host", "\"a b\"@host.e.test"},
    {"amy <bob> carl", "amy <bob@o.test>, carl@o.test"},
    {"Amy<amy>,Bob<bob>", "Amy <amy@o.test>, Bob <bob@o.test>"},
    {"<a@host><b@host>", "<a@host.e.test>, <b@host.e.test>"},
    {"amy <\"a b\"@host>", "amy <\"a b\"@host.e.test>"},
    {"(only a comment)", NULL},
    {"", NULL},
    {",", NULL},
    {"amy;", "amy@o.test;"},
    {"amy (c1) (c2), (c3) bob", "amy@o.test (c1) (c2), (c3) bob@o.test"},
    {"amy <bob", "amy <, bob@o.test"},
    {"[foo", "\"[foo\"@o.test"},
    {">", NULL},
    {"amy>", "amy@o.test, >"},
};

static void test_rewrite(void)
{
	struct buf out = {0};

	for (size_t i = 0; i < sizeof rewrites / sizeof rewrites[0]; i++) {
		bool changed;

		buf_clear(&out);
		changed = hdraddr_rewrite(str_of(rewrites[i][0]), 4, 0, complete, NULL, &out);
		ok(changed == (rewrites[i][1] != NULL), rewrites[i][0]);
		if (rewrites[i][1])
			is_str(buf_view(&out), str_of(rewrites[i][1]), "rewritten");
		else
			is_int(out.n, 0, "left alone");
	}
	buf_free(&out);
}

static void test_fold(void)
{
	struct buf in = {0}, out = {0};
	str lines, line;
	size_t longest = 0, count = 0;

	for (int i = 0; i < 40; i++)
		buf_printf(&in, "%suser%d@host", i ? "," : "", i);
	ok(hdraddr_rewrite(buf_view(&in), 4, 0, complete, NULL, &out), "long list");
	lines = buf_view(&out);
	while (str_split(&lines, '\n', &line)) {
		longest = line.n > longest ? line.n : longest;
		count++;
		if (count > 1)
			ok(line.n && line.p[0] == '\t', "continuation line");
	}
	ok(longest <= 72 && count > 10, "no line is long");
	buf_free(&in);
	buf_free(&out);
}

static void test_limit(void)
{
	struct buf out = {0}, seen = {0};

	ok(hdraddr_rewrite(STR("a@b.test, c@d.test, e@f.test"), 4, 10, complete, NULL, &out),
	    "beyond the limit");
	is_str(buf_view(&out), STR("a@b.test"), "no half address is left");
	hdraddr_each(STR("A <a@x.test>, (c) b, g: c@y.test;"), 0, complete, &seen);
	is_str(buf_view(&seen), STR("a@x.test|b|c@y.test"), "addresses seen");
	buf_clear(&out);
	ok(hdraddr_one(STR("\"A. B\" <\"a b\"@x.test> (c)"), &out), "one address");
	is_str(buf_view(&out), STR("a b@x.test"), "its internal form");
	ok(!hdraddr_one(STR("(nothing)"), &out), "no address");
	buf_free(&out);
	buf_free(&seen);
}

static void test_names(void)
{
	struct buf out = {0};

	hdraddr_phrase(&out, STR("Amy B"));
	is_str(buf_view(&out), STR("Amy B"), "plain phrase");
	buf_clear(&out);
	hdraddr_phrase(&out, STR("Amy \"Q\" B."));
	is_str(buf_view(&out), STR("\"Amy \\\"Q\\\" B.\""), "quoted phrase");
	buf_clear(&out);
	hdraddr_comment(&out, STR("a(b)\\"));
	is_str(buf_view(&out), STR("a\\(b\\)\\\\"), "comment");
	buf_free(&out);
}

int main(void)
{
	test_rewrite();
	test_fold();
	test_limit();
	test_names();
	return done();
}
