/* Events: every row compiles, optional parts, address forms. */
#include "log/event.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"

static struct buf last;

static void keep(const char *tag, str text)
{
	(void)tag;
	buf_clear(&last);
	buf_str(&last, text);
}

static void logged(const char *want, const char *what)
{
	is_str(buf_view(&last), str_of(want), what);
}

static void rows(void)
{
	struct event_value v[EVENT_FIELDS_MAX + 1];
	struct buf text = {0};
	int bad = 0;

	for (int e = 0; e < EVENT_COUNT; e++) {
		for (int i = 0; i < EVENT_FIELDS_MAX; i++) {
			enum event_type type = event_table[e].fields[i].type;

			v[i] = (struct event_value){.s = STR("x")};
			if (type == EVENT_FIELD_UNSIGNED || type == EVENT_FIELD_SIGNED)
				v[i] = (struct event_value){.u = 7};
		}
		buf_clear(&text);
		event_text(&text, (enum event)e, v);
		if (text.n == 0 || strpbrk(text.p, "{}"))
			bad++;
		memset(v, 0, sizeof v);
		event_text(&text, (enum event)e, v);
	}
	is_int(bad, 0, "every row prints");
	buf_free(&text);
}

static void delivery(void)
{
	log_delivery("ID", STR("a@b.example"), LOG_NONE, "h[192.0.2.1]:25", 0, "0.11",
	    "0/0.02/0.05/0.04", "2.0.0", "sent", "250 ok");
	logged("ID: to=<a@b.example>, relay=h[192.0.2.1]:25, delay=0.11, delays=0/0.02/0.05/0.04, "
	       "dsn=2.0.0, status=sent (250 ok)",
	    "delivery without options");
	log_delivery("ID", STR("a@b.example"), STR("c@d.example"), "none", 2, "1", "1/0/0/0",
	    "4.4.1", "deferred", "no \r\nroute");
	logged("ID: to=<a@b.example>, orig_to=<c@d.example>, relay=none, conn_use=2, delay=1, "
	       "delays=1/0/0/0, dsn=4.4.1, status=deferred (no ??route)",
	    "delivery with options; control characters are masked");
}

static void smtpd(void)
{
	log_smtpd_client(NULL, "h[192.0.2.1]", NULL, "", NULL, NULL, NULL);
	logged("NOQUEUE: client=h[192.0.2.1]", "no queue ID, empty options left out");
	log_smtpd_client("Q", "h[192.0.2.1]", "PLAIN", "u@x", NULL, "UP", "up[192.0.2.5]");
	logged("Q: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u@x, orig_queue_id=UP, "
	       "orig_client=up[192.0.2.5]",
	    "client with options");
	log_smtpd_verdict("", "reject", "RCPT", "h[192.0.2.1]", "554 5.7.1 <x@y>: no", STR(""),
	    STR("x@y"), "ESMTP", "helo", NULL, NULL, NULL);
	logged("NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <x@y>: no; from=<> to=<x@y> "
	       "proto=ESMTP helo=<helo>",
	    "the null sender is shown");
	log_smtpd_verdict("", "reject", "CONNECT", "h[192.0.2.1]", "554 no", LOG_NONE, LOG_NONE,
	    "SMTP", NULL, NULL, NULL, NULL);
	logged("NOQUEUE: reject: CONNECT from h[192.0.2.1]: 554 no; proto=SMTP",
	    "what is not known "
	    "is left out");
	log_smtpd_pipelining("EHLO", "h[192.0.2.1]", STR("MAIL FROM:<a>\r\n\x01"));
	logged("improper command pipelining after EHLO from h[192.0.2.1]: MAIL FROM:<a>\\r\\n\\001",
	    "input is escaped");
	log_smtpd_non_smtp("h[192.0.2.1]", STR("GET / HTTP/1.0"));
	logged("warning: non-SMTP command from h[192.0.2.1]: GET / HTTP/1.0", "warnings say so");
}

static void addresses(void)
{
	static const struct {
		const char *in, *external;
	} t[] = {{"", ""}, {"a.b@c", "a.b@c"}, {"a b@c", "\"a b\"@c"},
	    {"a\"\\b@c", "\"a\\\"\\\\b\"@c"}, {".a@c", "\".a\"@c"}, {"a.@c", "\"a.\"@c"},
	    {"a..b@c", "\"a..b\"@c"}, {"@c", "\"\"@c"}, {"a@b@c", "\"a@b\"@c"}, {"local", "local"},
	    {"\xc3\xa9@c", "\xc3\xa9@c"}};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct buf out = {0};

		log_address(&out, str_of(t[i].in));
		is_str(buf_view(&out), str_of(t[i].external), t[i].in);
		buf_free(&out);
	}
	tmpconf("info_log_address_format = internal\n");
	log_qmgr_active("Q", STR("a b@c"), 12, 3);
	logged("Q: from=<a b@c>, size=12, nrcpt=3 (queue active)", "internal form");
}

int main(void)
{
	tmpconf("");
	log_open("test", false);
	log_writer(keep);
	rows();
	delivery();
	smtpd();
	addresses();
	buf_free(&last);
	return done();
}
