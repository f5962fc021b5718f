#include "mail/header.h"

#include "../../lib/tap.h"
#include "mail/msgid.h"
#include "mail/received.h"

static void test_table(void)
{
	for (int id = 1; id < HDR_COUNT; id++) {
		ok(header_find(str_of(header_row(id)->name)) == header_row(id),
		    header_row(id)->name);
		ok((int)header_row(id)->id == id, "its row");
	}
	ok(header_find(STR("fRoM"))->id == HDR_FROM, "case is ignored");
	ok(header_find(STR("X-From"))->id == HDR_OTHER, "unknown name");
	ok(header_find(STR(""))->id == HDR_OTHER, "empty name");
	ok(header_find(STR("Content-Foo"))->flags & H_MIME, "Content-* is a MIME field");
	ok(header_listed("bcc, content-length,,return-path", STR("Return-Path")), "listed");
	ok(!header_listed("bcc, content-length", STR("Content")), "not listed");
	ok(!header_listed("", STR("")), "empty list");
}

static void test_lines(void)
{
	struct buf b = {0};
	str name, value;

	is_int(header_name_length(STR("Subject: x")), 7, "field");
	is_int(header_name_length(STR("Subject \t: x")), 7, "white space before the colon");
	is_int(header_name_length(STR("Sub ject: x")), 0, "two words");
	is_int(header_name_length(STR(": x")), 0, "no name");
	is_int(header_name_length(STR("Subject")), 0, "no colon");
	is_int(header_name_length(STR(" Subject: x")), 0, "continuation");
	is_int(header_name_length(STR("S\xc3\xbc: x")), 0, "8-bit name");
	is_int(header_name_length(STR("")), 0, "nothing");
	ok(header_split(STR("To:\n a\n b"), &name, &value), "folded field");
	is_str(name, STR("To"), "name");
	is_str(value, STR("a\n b"), "value");
	ok(header_split(STR("To:"), &name, &value) && value.n == 0, "empty value");
	ok(!header_split(STR("To"), &name, &value), "no field");
	header_unfold(&b, STR("a\n b\r\n\tc\rd"));
	is_str(buf_view(&b), STR("a b\tc\rd"), "unfolded");
	buf_clear(&b);
	header_wire(&b, STR(".To: a\n b"));
	is_str(buf_view(&b), STR("..To: a\r\n b\r\n"), "wire form");
	buf_free(&b);
}

static void test_made(void)
{
	struct buf b = {0};
	struct received r = {
	    .helo = STR("he\nlo"),
	    .client_name = STR("unknown"),
	    .client_addr = STR("2001:db8::1"),
	    .myhostname = STR("mx.test"),
	    .mail_name = STR("Postfix"),
	    .protocol = STR("ESMTP"),
	    .queue_id = STR("ABC"),
	    .rcpt = STR("a b@c.test"),
	    .when = 0,
	};

	received_put(&b, &r);
	ok(str_starts(
	       buf_view(&b), STR("Received: from he?lo (unknown [IPv6:2001:db8::1])\n\tby mx.test "
				 "(Postfix) with ESMTP id ABC\n\tfor <\"a b\"@c.test>; ")),
	    "Received");
	buf_clear(&b);
	r = (struct received){.myhostname = STR("mx.test"),
	    .mail_name = STR("Postfix"),
	    .userid = 7,
	    .queue_id = STR("ABC")};
	received_put(&b, &r);
	ok(str_starts(
	       buf_view(&b), STR("Received: by mx.test (Postfix, from userid 7)\n\tid ABC; ")),
	    "local Received");
	is_int(received_count(STR(
		   "Received: a\r\n b\r\nreceived : c\r\nX-Received: d\r\n\r\nReceived: e\r\n")),
	    2, "counted");
	buf_clear(&b);
	msgid_put(&b, 1000000000, STR("ABC"), STR("mx.test"));
	is_str(buf_view(&b), STR("<20010909014640.ABC@mx.test>"), "Message-Id");
	buf_clear(&b);
	from_put(&b, false, STR("Full Name"), STR("a b@c.test"), false, STR("utf-8"));
	is_str(buf_view(&b), STR("From: Full Name <\"a b\"@c.test>"), "From");
	buf_clear(&b);
	from_put(&b, true, STR("F. \"N\""), STR("a@c.test"), false, STR(""));
	is_str(buf_view(&b), STR("Resent-From: \"F. \\\"N\\\"\" <a@c.test>"), "quoted name");
	buf_clear(&b);
	from_put(&b, false, STR("Name (x)"), STR("a@c.test"), true, STR(""));
	is_str(buf_view(&b), STR("From: a@c.test (Name \\(x\\))"), "obsolete form");
	buf_clear(&b);
	from_put(&b, false, STR(""), STR("a@c.test"), false, STR(""));
	is_str(buf_view(&b), STR("From: a@c.test"), "no name");
	buf_clear(&b);
	from_put(&b, false, STR("J\xc3\xb6rg\nX"), STR("a@c.test"), false, STR("utf-8"));
	is_str(buf_view(&b), STR("From: =?utf-8?Q?J=C3=B6rg_X?= <a@c.test>"), "encoded name");
	buf_free(&b);
}

int main(void)
{
	test_table();
	test_lines();
	test_made();
	return done();
}
