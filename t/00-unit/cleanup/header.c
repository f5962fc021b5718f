/* The message's own header: what is dropped, rewritten, counted, added, checked. */
// with: src/cleanup/header.c src/cleanup/checks.c src/cleanup/address.c src/cleanup/canonical.c
// src/cleanup/masquerade.c src/cleanup/receive.c src/cleanup/content.c src/cleanup/finish.c
// src/cleanup/recipient.c src/cleanup/sender.c src/cleanup/virtual.c src/cleanup/qmgr_clnt.c
// src/cleanup/changed.c src/cleanup/milter.c src/cleanup/milter_env.c src/cleanup/milter_session.c
#include "fake.h"

#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"

#define LOCAL (CLEANUP_FLAG_MAP | CLEANUP_FLAG_LOCAL_HEADERS | CLEANUP_FLAG_FILTER)

static void field(struct message *m, const char *text)
{
	str t = str_of(text);
	const struct header_row *row = header_find(str_head(t, header_name_length(t)));

	if (checks_field(m, MIME_PRIMARY, &row, &t))
		header_field(m, row, t);
}

static void has(struct message *m, const char *text, const char *what)
{
	ok(str_find(buf_view(&m->out), str_of(text)) >= 0, what);
	if (str_find(buf_view(&m->out), str_of(text)) < 0)
		printf("# in: %s\n", buf_text(&m->out));
}

static void has_not(struct message *m, const char *text, const char *what)
{
	ok(str_find(buf_view(&m->out), str_of(text)) < 0, what);
}

static void test_missing(void)
{
	struct message m = fake_message(LOCAL, "local");

	m.env.sender.address = STR("a@b.test");
	m.env.sender.full_name = STR("A. Bee");
	field(&m, "Subject: x");
	header_finish(&m);
	has(&m,
	    "Subject: x\r\nMessage-Id: <20231114221320.ABC123@mx.example.com>\r\nDate: Tue, 14 Nov "
	    "2023 ",
	    "Message-Id and Date");
	has(&m, "\r\nFrom: \"A. Bee\" <a@b.test>\r\nTo: undisclosed-recipients:;\r\n",
	    "From and To");
	fake_free(&m);

	m = fake_message(LOCAL, "local");
	m.env.sender.full_name = STR("not used");
	field(&m, "Bcc: x@y.test");
	header_finish(&m);
	has(&m, "\r\nFrom: MAILER-DAEMON\r\nTo: undisclosed", "the null sender; Bcc is no To");
	has_not(&m, "Bcc", "Bcc is dropped");
	fake_free(&m);

	m = fake_message(LOCAL, "local");
	m.env.sender.address = STR("a@b.test");
	field(&m, "From: x@y.test");
	field(&m, "Message-ID: <keep@x>");
	field(&m, "Resent-To: z@y.test");
	header_finish(&m);
	has(&m, "\r\nResent-Message-Id: <20231114221320.ABC123@mx.example.com>\r\nResent-Date: ",
	    "a resent message gets Resent- fields");
	has(&m, "\r\nResent-From: a@b.test\r\n", "and Resent-From");
	has_not(&m, "\r\nMessage-Id", "and no others");
	fake_free(&m);

	m = fake_message(CLEANUP_FLAG_MAP, NULL);
	field(&m, "Subject: x");
	header_finish(&m);
	is_cstr(buf_text(&m.out), "Subject: x\r\n", "nothing is added to a stranger's mail");
	fake_free(&m);
}

static void test_rewrite(void)
{
	struct message m = fake_message(LOCAL, "local");

	field(&m, "From: One <s@host.corp.test> (note)");
	field(&m, "To: c@one.test,\n\tother@far.test");
	field(&m, "Subject: s@host.corp.test");
	field(&m, "X-To: c@one.test");
	has(&m, "From: One <s@corp.test> (note)\r\n", "masqueraded, comment kept");
	has(&m, "To: c2@two.test, other@far.test\r\n", "canonical, unfolded");
	has(&m, "Subject: s@host.corp.test\r\nX-To: c@one.test\r\n", "other fields are let alone");
	fake_free(&m);

	m = fake_message(CLEANUP_FLAG_MAP, NULL);
	field(&m, "To: c@one.test,\n\tother@far.test");
	is_cstr(buf_text(&m.out), "To: c@one.test,\r\n\tother@far.test\r\n",
	    "a stranger's field as it came");
	fake_free(&m);

	m = fake_message(CLEANUP_FLAG_LOCAL_HEADERS, "local");
	field(&m, "To: c@one.test");
	has(&m, "To: c@one.test\r\n", "no mapping without CLEANUP_FLAG_MAP");
	fake_free(&m);
}

static void test_hops(void)
{
	struct message m = fake_message(LOCAL, NULL);

	field(&m, "Received: 1");
	field(&m, "Received: 2");
	is_int(m.status, CLEANUP_OK, "two hops of three");
	field(&m, "Received: 3");
	is_int(m.status, CLEANUP_HOPS, "hopcount_limit");
	fake_free(&m);
}

static void test_utf8(void)
{
	struct message m = fake_message(LOCAL, NULL);

	field(&m, "Subject: plain");
	ok(!(m.env.sender.flags & SENDER_SMTPUTF8_HEADER), "an ASCII header");
	field(&m, "Subject: gr\xc3\xbcn");
	ok(m.env.sender.flags & SENDER_SMTPUTF8_HEADER, "a header that is not");
	fake_free(&m);
}

static void test_checks(void)
{
	struct message m = fake_message(LOCAL, NULL);

	field(&m, "X-Prepend: 1");
	field(&m, "X-Replace: 1");
	field(&m, "X-Ignore: 1");
	field(&m, "X-Filter: 1");
	field(&m, "X-Bcc: 1");
	field(&m, "X-Hold: 1");
	is_cstr(buf_text(&m.out),
	    "X-New: yes\r\nX-Prepend: 1\r\nTo: c@one.test\r\nX-Filter: 1\r\nX-Bcc: 1\r\nX-Hold: "
	    "1\r\n",
	    "PREPEND, REPLACE, IGNORE");
	is_str(envelope_attr(&m.env, "content_filter"), STR("smtp:there"), "FILTER");
	is_int(m.nbcc, 1, "BCC");
	is_cstr(m.queue_name, "hold", "HOLD");
	is_int(m.status, CLEANUP_OK, "all is well so far");
	field(&m, "X-Reject: 1");
	is_int(m.status, CLEANUP_CONTENT, "REJECT");
	is_cstr(m.why, "5.7.1 not here", "its text");
	fake_free(&m);

	m = fake_message(LOCAL, NULL);
	field(&m, "X-Code: 1");
	is_cstr(m.why, "4.6.1 later", "REJECT with a code of its own");
	fake_free(&m);

	m = fake_message(LOCAL, NULL);
	field(&m, "X-Discard: 1");
	field(&m, "X-Reject: 1");
	ok(m.discard && m.status == CLEANUP_OK, "nothing is looked at after DISCARD");
	fake_free(&m);

	m = fake_message(LOCAL, NULL);
	field(&m, "X-Pass: 1");
	field(&m, "X-Reject: 1");
	is_int(m.status, CLEANUP_OK, "nor after PASS");
	fake_free(&m);

	m = fake_message(LOCAL, NULL);
	m.checking = false;
	field(&m, "X-Reject: 1");
	is_int(m.status, CLEANUP_OK, "no checks without CLEANUP_FLAG_FILTER");
	fake_free(&m);
}

int main(void)
{
	tmpconf("canonical_maps = inline:{ c@one.test=c2@two.test }\n"
		"masquerade_domains = corp.test\nhopcount_limit = 3\nsmtputf8_enable = yes\n"
		"undisclosed_recipients_header = To: undisclosed-recipients:;\n"
		"header_checks = inline:{ {X-Prepend: 1 = PREPEND X-New: yes},"
		" {X-Replace: 1 = REPLACE To: c@one.test}, {X-Ignore: 1 = IGNORE},"
		" {X-Filter: 1 = FILTER smtp:there}, {X-Bcc: 1 = BCC a@b.test}, {X-Hold: 1 = HOLD},"
		" {X-Reject: 1 = REJECT not here}, {X-Code: 1 = REJECT 4.6.1 later},"
		" {X-Discard: 1 = DISCARD}, {X-Pass: 1 = PASS} }\n");
	finish_setup();
	test_missing();
	test_rewrite();
	test_hops();
	test_utf8();
	test_checks();
	return done();
}
