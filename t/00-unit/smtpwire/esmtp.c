#include "smtpwire/esmtp.h"

#include "../../lib/tap.h"
#include "mail/dsn.h"
#include "smtpwire/cmd.h"

static void test_commands(void)
{
	struct smtp_cmd c;
	str args, word;

	smtp_cmd_split(STR("MAIL FROM:<a@b> SIZE=1\r\n"), &c);
	is_str(c.verb, STR("MAIL"), "verb");
	is_str(c.args, STR("FROM:<a@b> SIZE=1"), "arguments");
	smtp_cmd_split(STR("  noop \t x  \n"), &c);
	is_str(c.verb, STR("noop"), "verb behind spaces");
	is_str(c.args, STR("x"), "argument");
	smtp_cmd_split(STR("\r\n"), &c);
	is_int(c.verb.n + c.args.n, 0, "empty line");
	args = STR("FROM:<a@b>");
	ok(smtp_cmd_keyword(&args, "FROM"), "FROM:");
	is_str(args, STR("<a@b>"), "path");
	args = STR("to:  a@b");
	ok(smtp_cmd_keyword(&args, "TO"), "TO: with spaces behind it");
	is_str(args, STR("a@b"), "path");
	args = STR("TO :<a@b>");
	ok(!smtp_cmd_keyword(&args, "TO"), "a space before the colon");
	args = STR("FROM <a@b>");
	ok(!smtp_cmd_keyword(&args, "FROM"), "no colon");
	args = STR("TO:<a@b>");
	ok(!smtp_cmd_keyword(&args, "FROM"), "wrong keyword");
	args = STR(" a\tb ");
	is_int(smtp_cmd_words(args), 2, "words");
	ok(smtp_cmd_word(&args, &word) && str_eq(word, STR("a")), "first word");
}

static void test_params(void)
{
	str rest = STR("SIZE=10  BODY=8BITMIME SMTPUTF8 X= ENVID=a=b"), name, value, word;

	ok(esmtp_param(&rest, &name, &value, &word), "SIZE");
	is_str(name, STR("SIZE"), "name");
	is_str(value, STR("10"), "value");
	is_str(word, STR("SIZE=10"), "whole");
	esmtp_param(&rest, &name, &value, NULL);
	esmtp_param(&rest, &name, &value, NULL);
	ok(str_eq(name, STR("SMTPUTF8")) && !value.p, "without value");
	esmtp_param(&rest, &name, &value, NULL);
	ok(value.p && value.n == 0, "empty value");
	esmtp_param(&rest, &name, &value, NULL);
	is_str(value, STR("a=b"), "first = separates");
	ok(!esmtp_param(&rest, &name, &value, NULL), "end");
}

static void test_ehlo(void)
{
	struct ehlo_caps caps = {0};
	struct err err;
	struct buf b = {0};
	uint64_t mask;

	is_int(ehlo_mask(STR("chunking, DSN vrfy,silent-discard"), &mask, &err), 0, "list");
	ok(mask == (EHLO_CHUNKING | EHLO_DSN | EHLO_VRFY | EHLO_SILENT_DISCARD), "mask");
	ehlo_print(&b, mask);
	is_str(buf_view(&b), STR("VRFY DSN CHUNKING"), "printed in order");
	is_int(ehlo_mask(STR("dsn, foo"), &mask, &err), -1, "unknown keyword");
	is_int(mask, EHLO_DSN, "the known one counts");
	ehlo_cap(&caps, STR("SIZE 1000"));
	ehlo_cap(&caps, STR("pipelining"));
	ehlo_cap(&caps, STR("AUTH=LOGIN"));
	ehlo_cap(&caps, STR("AUTH PLAIN LOGIN"));
	ehlo_cap(&caps, STR("XFORWARD NAME ADDR"));
	ehlo_cap(&caps, STR("X-UNKNOWN y"));
	ehlo_cap(&caps, STR("8BITMIME"));
	ehlo_cap(&caps, STR(""));
	ok(caps.mask == (EHLO_SIZE | EHLO_PIPELINING | EHLO_AUTH | EHLO_XFORWARD | EHLO_8BITMIME),
	    "capabilities");
	is_int(caps.size, 1000, "size");
	is_str(caps.auth, STR("PLAIN LOGIN"), "mechanisms");
	is_str(caps.xforward, STR("NAME ADDR"), "XFORWARD attributes");
	ehlo_cap(&caps, STR("SIZE 99999999999999999999999"));
	is_int(caps.size, 0, "a size without end");
	ok(caps.bad_size.n == 0, "which is no error");
	ehlo_cap(&caps, STR("SIZE 2000 more"));
	is_int(caps.size, 2000, "words behind the size");
	ehlo_cap(&caps, STR("SIZE=3000"));
	is_int(caps.size, 3000, "an equals sign");
	ehlo_cap(&caps, STR("SIZE abc"));
	is_int(caps.size, 0, "no number");
	is_str(caps.bad_size, STR("abc"), "to be warned of");
	buf_free(&b);
}

static void test_xattr(void)
{
	struct buf b = {0};
	str name;
	bool none;

	ok(xattr_get(STR("HELO=a+2Eb"), &name, &b, &none), "attribute");
	is_str(name, STR("HELO"), "name");
	is_str(buf_view(&b), STR("a.b"), "decoded");
	buf_clear(&b);
	ok(xattr_get(STR("NAME=[unavailable]"), &name, &b, &none) && none, "unavailable");
	ok(!xattr_get(STR("NAME"), &name, &b, &none), "no value");
	ok(!xattr_get(STR("=x"), &name, &b, &none), "no name");
	ok(!xattr_get(STR("NAME=+4"), &name, &b, &none), "torn xtext");
	buf_clear(&b);
	xattr_put(&b, "HELO", STR("a b+c"));
	xattr_put(&b, "NAME", STR(""));
	is_str(buf_view(&b), STR(" HELO=a+20b+2Bc NAME=[UNAVAILABLE]"), "encoded");
	buf_free(&b);
}

static void test_dsn(void)
{
	struct buf b = {0};
	uint32_t n = 0;

	is_int(dsn_valid(STR("5.1.1 x")), 5, "5.1.1");
	is_int(dsn_valid(STR("2.111.222")), 9, "long numbers");
	is_int(dsn_valid(STR("3.1.1")), 0, "class 3");
	is_int(dsn_valid(STR("5.1.1111")), 0, "number too long");
	is_int(dsn_valid(STR("5.1.")), 0, "torn");
	is_int(dsn_valid(STR("5.1.1x")), 0, "not a word of its own");
	ok(dsn_parse_notify(STR("success,FAILURE"), &n) &&
		n == (DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE),
	    "NOTIFY");
	dsn_print_notify(&b, n);
	is_str(buf_view(&b), STR("SUCCESS,FAILURE"), "printed");
	ok(dsn_parse_notify(STR("NEVER"), &n) && n == DSN_NOTIFY_NEVER, "NEVER");
	ok(!dsn_parse_notify(STR("NEVER,FAILURE"), &n), "NEVER is alone");
	ok(!dsn_parse_notify(STR("SOMETIMES"), &n), "unknown word");
	ok(dsn_parse_notify(STR(",SUCCESS,,DELAY,"), &n), "empty words are none");
	ok(dsn_parse_notify(STR("DELAY,DELAY"), &n) && n == DSN_NOTIFY_DELAY, "twice");
	ok(!dsn_parse_notify(STR(","), &n), "nothing");
	ok(!dsn_parse_notify(STR(""), &n), "empty");
	buf_clear(&b);
	ok(xtext_decode(&b, STR("a+2Bb+0a")), "xtext");
	is_str(buf_view(&b), STR("a+b\n"), "decoded");
	ok(!xtext_decode(&b, STR("a+2")), "torn");
	ok(!xtext_decode(&b, STR("a+zz")), "no hex");
	ok(xtext_decode(&b, STR("a=b")), "=");
	ok(!xtext_decode(&b, STR("a b")), "space");
	ok(orcpt_valid(STR("rfc822;first+2Blast@old.test")), "ORCPT");
	ok(!orcpt_valid(STR("noaddrtype")), "no type");
	ok(!orcpt_valid(STR("rfc822;a+b@c")), "bad xtext");
	ok(orcpt_valid(STR("rfc822;")), "an empty address is one");
	ok(!orcpt_valid(STR(";x")), "empty type");
	buf_free(&b);
}

int main(void)
{
	test_commands();
	test_params();
	test_ehlo();
	test_xattr();
	test_dsn();
	return done();
}
