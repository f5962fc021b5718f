#include "mail/addr.h"

#include "../../lib/tap.h"
#include "mail/verp.h"

static const struct {
	const char *in, *out; /* NULL: refused */
	unsigned flags;
	const char *rest;
} paths[] = {
    {"<a@b.test>", "a@b.test", 0, ""},
    {" <a@b.test>  ", "a@b.test", ADDR_STRICT, ""},
    {"a@b.test", "a@b.test", 0, ""},
    {"a@b.test", NULL, ADDR_STRICT, ""},
    {"a@b.test SIZE=10", "a@b.test", 0, "SIZE=10"},
    {"<a@b.test> SIZE=10 X", "a@b.test", 0, "SIZE=10 X"},
    {"<a@b.test>SIZE=10", NULL, 0, ""},
    {"", NULL, ADDR_NULL, ""},
    {"<>", "", ADDR_NULL, ""},
    {"<>", NULL, 0, ""},
    {"<@x.test:>", "", ADDR_NULL, ""},
    {"<@x.test:>", NULL, 0, ""},
    {"<a b@b.test>", NULL, 0, ""},
    {"<a\tb@b.test>", NULL, 0, ""},
    {"<a\\ b@b.test>", "a b@b.test", 0, ""},
    {"<\"a b\"@b.test>", "a b@b.test", 0, ""},
    {"<\"a\\\"b\"@b.test>", "a\"b@b.test", 0, ""},
    {"<\"a>b\"@b.test> X", "a>b@b.test", 0, "X"},
    {"<\"a\".b@b.test>", "a.b@b.test", 0, ""},
    {"<\"a\"b@b.test>", NULL, 0, ""},
    {"<a\"b\"c@b.test>", NULL, 0, ""},
    {"<\"a@b.test>", NULL, 0, ""},
    {"<\"\"@b.test>", "@b.test", 0, ""},
    {"<@b.test>", "@b.test", 0, ""},
    {"<a@>", NULL, 0, ""},
    {"<a@b..test>", NULL, 0, ""},
    {"<a@.b.test>", NULL, 0, ""},
    {"<a@b.test.>", "a@b.test.", 0, ""},
    {"<a..b@b.test>", "a..b@b.test", 0, ""},
    {"<.a.@b.test>", ".a.@b.test", 0, ""},
    {"<a@b@c.test>", "a@b@c.test", 0, ""},
    {"<a@-b.test>", NULL, 0, ""},
    {"<a@b_c.test>", "a@b_c.test", 0, ""},
    {"<a@b!c.test>", NULL, 0, ""},
    {"<a@xn--.test>", NULL, 0, ""},
    {"<a@[1.2.3.4]>", "a@[1.2.3.4]", ADDR_STRICT, ""},
    {"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", 0, ""},
    {"<a@[ipv6:::1]>", "a@[ipv6:::1]", 0, ""},
    {"<a@[2001:db8::1]>", NULL, 0, ""},
    {"<a@[IPv6:1.2.3.4]>", NULL, 0, ""},
    {"<a@[1.2.3]>", NULL, 0, ""},
    {"<a@[999.0.0.1]>", NULL, 0, ""},
    {"<a@[]>", NULL, 0, ""},
    {"<a@[1.2.3.4].x>", NULL, 0, ""},
    {"<a[b]@b.test>", NULL, 0, ""},
    {"<a@1.2.3.4>", NULL, 0, ""},
    {"<a@1.2.3.4>", "a@1.2.3.4", ADDR_NUMERIC, ""},
    {"<a@12345>", NULL, ADDR_NUMERIC, ""},
    {"<@x.test:a@b.test>", "a@b.test", ADDR_STRICT, ""},
    {"<@x.test,@[IPv6:::1]:a@b.test>", "a@b.test", 0, ""},
    {"<@x.test:\"a b\"@b.test>", "a b@b.test", 0, ""},
    {"<@:a@b.test>", "a@b.test", 0, ""},
    {"<@x.test;a@b.test>", NULL, 0, ""},
    {"<@x.test a@b.test>", NULL, 0, ""},
    {"<@x.test:a>", "a", 0, ""},
    {"<a@b.test", NULL, 0, ""},
    {"a@b.test>", "a@b.test", 0, ""},
    {"<<a@b.test>>", "a@b.test", ADDR_STRICT, ""},
    {"<<a@b.test>", NULL, 0, ""},
    {"<a@b.test>>", "a@b.test", 0, ""},
    {"<a@b.test>>>", NULL, 0, ""},
    {"<<<a@b.test>>>", NULL, 0, ""},
    {"<a<b@b.test>", NULL, 0, ""},
    {"<a@b.test>;", "a@b.test", 0, ""},
    {"<a@b.test>;", NULL, ADDR_STRICT, ""},
    {"<a@b.test>(comment) X=1", "a@b.test", 0, "X=1"},
    {"(comment)<a@b.test>", "a@b.test", 0, ""},
    {"\"One\"<a@b.test>", "a@b.test", 0, ""},
    {"One<a@b.test>", "a@b.test", 0, ""},
    {"One<a@b.test>", NULL, ADDR_STRICT, ""},
    {"group:<a@b.test>;", "a@b.test", 0, ""},
    {"a@b.test<c@d.test>", NULL, 0, ""},
    {"<a@b.test>x", NULL, 0, ""},
    {"<a@b.test>,<c@d.test>", NULL, 0, ""},
    {"\"One Two\" <a@b.test>", "a@b.test", ADDR_WHOLE, ""},
    {"One Two <a@b.test> (c)", "a@b.test", ADDR_WHOLE, ""},
    {"<@b.test>", NULL, ADDR_STRICT, ""},
    {"<One Two <n@b.test>>", "n@b.test", 0, ""},
    {"<One Two <n@b.test>>", NULL, ADDR_STRICT, ""},
    {"<One <n@b.test> Two>", NULL, 0, ""},
    {"<n(comment (nested))@b.test>", "n@b.test", 0, ""},
    {"<n(comment)@b.test>", NULL, ADDR_STRICT, ""},
    {"<n(never@b.test>", NULL, 0, ""},
    {"<a@b.test,c@b.test>", NULL, 0, ""},
    {"<a:b@b.test>", "a:b@b.test", ADDR_STRICT, ""},
    {"<group: a@b.test;>", "a@b.test", 0, ""},
    {"<group: a@b.test;>", NULL, ADDR_STRICT, ""},
    {"<a@b.test;>", "a@b.test", 0, ""},
    {"<a;b@b.test>", NULL, 0, ""},
    {"< a @ b . test >", "a@b.test", ADDR_STRICT, ""},
    {"<a@\"b.test\">", "a@b.test", 0, ""},
    {"<a@\"b test\">", NULL, 0, ""},
    {"<postmaster>", "postmaster", ADDR_STRICT, ""},
    {"<x!a@b.test>", "x!a@b.test", 0, ""},
    {"<\\a@b.test>", "a@b.test", 0, ""},
    {"<a\\>", NULL, 0, ""},
    {"<\xc3\xbc@b.test>", "\xc3\xbc@b.test", 0, ""},
    {"<\xff@b.test>", "\xff@b.test", 0, ""},
    {"<\xff@b.test>", NULL, ADDR_UTF8, ""},
    {"<a@b\xc3\xbc.test>", NULL, 0, ""},
    {"<a@b\xc3\xbc.test>", "a@b\xc3\xbc.test", ADDR_UTF8, ""},
    {">", NULL, 0, ""},
    {"<", NULL, 0, ""},
    {"\"", NULL, 0, ""},
    {"\\", NULL, 0, ""},
};

static void test_paths(void)
{
	struct buf got = {0};
	char what[200];

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		str path, rest;
		bool good;

		buf_clear(&got);
		buf_cstr(&got, "kept:");
		good = addr_parse_path(str_of(paths[i].in), paths[i].flags, &got, &path, &rest);
		snprintf(what, sizeof what, "path %s flags %x", paths[i].in, paths[i].flags);
		if (!paths[i].out) {
			ok(!good && got.n == 5, what);
			continue;
		}
		ok(good, what);
		is_str(str_from(buf_view(&got), 5), str_of(paths[i].out), what);
		is_str(rest, str_of(paths[i].rest), "parameters");
	}
	buf_free(&got);
}

static void test_path_text(void)
{
	struct buf got = {0};
	str path, rest;

	ok(!addr_parse_path(STR("<a b@c.test> SIZE=1"), 0, &got, &path, &rest), "refused");
	is_str(path, STR("<a b@c.test>"), "the text of a refused path");
	is_str(rest, STR("SIZE=1"), "what follows a refused path");
	ok(!addr_parse_path(STR("<a@c.test SIZE=1"), 0, &got, &path, &rest), "never closed");
	ok(path.p == NULL, "has no text");
	buf_free(&got);
}

static void test_quotes(void)
{
	static const char *const pairs[][2] = {
	    {"a@b.test", "a@b.test"},
	    {"a b@b.test", "\"a b\"@b.test"},
	    {"a@b@c.test", "\"a@b\"@c.test"},
	    {"a\"\\b@c", "\"a\\\"\\\\b\"@c"},
	    {"a.@c", "\"a.\"@c"},
	    {".a@c", "\".a\"@c"},
	    {"a..b@c", "\"a..b\"@c"},
	    {"@c", "\"\"@c"},
	    {"", ""},
	    {"user", "user"},
	    {"us er", "\"us er\""},
	    {"a@[1.2.3.4]", "a@[1.2.3.4]"},
	    {"\xc3\xbc@c", "\xc3\xbc@c"},
	    {"a'b!c%d@c", "a'b!c%d@c"},
	};
	struct buf b = {0};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		buf_clear(&b);
		addr_quote(&b, str_of(pairs[i][0]));
		is_str(buf_view(&b), str_of(pairs[i][1]), "quoted");
		buf_clear(&b);
		addr_unquote(&b, str_of(pairs[i][1]));
		is_str(buf_view(&b), str_of(pairs[i][0]), "and back");
	}
	buf_clear(&b);
	addr_quote(&b, STR("a\r\nDATA\r\n@b"));
	ok(!memchr(b.p, '\n', b.n) && !memchr(b.p, '\r', b.n),
	    "no line breaks in a quoted address");
	buf_clear(&b);
	addr_unquote(&b, STR("\"abc\\"));
	is_str(buf_view(&b), STR("abc\\"), "a torn quoted string");
	buf_clear(&b);
	addr_log(&b, STR("a\x01\x1b[31m@b"));
	is_str(buf_view(&b), STR("\"a??[31m\"@b"), "control bytes are not logged");
	buf_free(&b);
}

static void test_split(void)
{
	str local, domain;

	addr_split(STR("a@b@c"), &local, &domain);
	is_str(local, STR("a@b"), "local part");
	is_str(domain, STR("c"), "domain");
	addr_split(STR("user"), &local, &domain);
	is_str(local, STR("user"), "local part without domain");
	is_int(domain.n, 0, "no domain");
	is_int(addr_domain(STR("")).n, 0, "null address");
}

static void test_extension(void)
{
	str db = STR("double-bounce");

	is_int(addr_extension(STR("foo+bar"), "+", true, db), 3, "foo+bar");
	is_int(addr_extension(STR("foo+"), "+", true, db), 3, "empty extension");
	is_int(addr_extension(STR("+foo"), "+", true, db), -1, "empty user");
	is_int(
	    addr_extension(STR("+foo+x"), "+", true, db), 4, "first delimiter belongs to the user");
	is_int(addr_extension(STR("a-b+c"), "+-", true, db), 1, "first of a set");
	is_int(addr_extension(STR("foo"), "+", true, db), -1, "none");
	is_int(addr_extension(STR("foo+bar"), "", true, db), -1, "no delimiters");
	is_int(addr_extension(STR("owner-list"), "-", true, db), -1, "owner-list");
	is_int(addr_extension(STR("list-request"), "-", true, db), -1, "list-request");
	is_int(addr_extension(STR("owner-list"), "-", false, db), 5,
	    "owner-list without special treatment");
	is_int(addr_extension(STR("owner-list+x"), "+-", true, db), -1, "owner-list+x");
	is_int(addr_extension(STR("MAILER-DAEMON"), "-", true, db), -1, "mailer-daemon");
	is_int(addr_extension(STR("double-bounce"), "-", true, db), -1, "double-bounce");
	is_int(addr_extension(STR("postmaster+x"), "+", true, db), 10, "postmaster+x");
}

static void test_domains(void)
{
	struct buf b = {0};
	str ip;

	ok(addr_domain_valid(STR("a.test"), false), "host name");
	ok(addr_domain_valid(STR("a.test."), false), "one dot at the end");
	ok(!addr_domain_valid(STR("a.test.."), false), "two dots at the end");
	ok(!addr_domain_valid(STR(""), false), "empty");
	ok(!addr_domain_valid(STR("."), false), "only a dot");
	ok(!addr_domain_valid(STR("b\xc3\xbc.test"), false), "UTF-8 not asked for");
	ok(addr_domain_valid(STR("b\xc3\xbc.test"), true), "UTF-8");
	ok(!addr_domain_valid(STR("b\xc3.test"), true), "broken UTF-8");
	ok(addr_literal(STR("[127.0.0.1]"), &ip), "literal");
	is_str(ip, STR("127.0.0.1"), "its address");
	ok(addr_domain_to_ascii(&b, STR("B\xc3\xbc"
					"cher.Example")),
	    "to A-labels");
	is_str(buf_view(&b), STR("xn--bcher-kva.example"), "A-labels");
	buf_clear(&b);
	ok(addr_domain_to_unicode(&b, STR("xn--bcher-kva.example")), "to U-labels");
	is_str(buf_view(&b),
	    STR("b\xc3\xbc"
		"cher.example"),
	    "U-labels");
	buf_clear(&b);
	ok(addr_to_ascii_domain(&b, STR("J\xc3\xb6@b\xc3\xbc.test")), "address");
	is_str(buf_view(&b), STR("J\xc3\xb6@xn--b-eha.test"), "domain of an address");
	buf_clear(&b);
	addr_fold(&b, STR("J\xc3\x96RG@B\xc3\x9c.Test"), true);
	is_str(buf_view(&b), STR("j\xc3\xb6rg@b\xc3\xbc.test"), "folded UTF-8");
	buf_clear(&b);
	addr_fold(&b, STR("J\xff\xc3\x96@B"), true);
	is_str(buf_view(&b), STR("j\xff\xc3\x96@b"), "folded bytes that are no UTF-8");
	ok(utf8_valid(STR("a\xf0\x9f\x98\x80")), "four bytes");
	ok(!utf8_valid(STR("\xc0\x80")), "overlong");
	ok(!utf8_valid(STR("\xed\xa0\x80")), "surrogate");
	ok(!utf8_valid(STR("\xf4\x90\x80\x80")), "too large");
	ok(!utf8_valid(STR("\xe2\x82")), "torn");
	buf_free(&b);
}

static void test_verp(void)
{
	struct buf b = {0};

	verp_sender(&b, STR("+="), STR("list-owner@host.test"), STR("user@dom.test"));
	is_str(buf_view(&b), STR("list-owner+user=dom.test@host.test"), "VERP sender");
	buf_clear(&b);
	verp_sender(&b, STR("+="), STR(""), STR("user@dom.test"));
	is_int(b.n, 0, "null sender stays");
	ok(!verp_delims_error(STR("+="), "-=+"), "good delimiters");
	ok(verp_delims_error(STR("+x"), "-=+"), "bad delimiter");
	ok(verp_delims_error(STR("+"), "-=+"), "one delimiter");
	buf_free(&b);
}

int main(void)
{
	test_paths();
	test_path_text();
	test_quotes();
	test_split();
	test_extension();
	test_domains();
	test_verp();
	return done();
}
