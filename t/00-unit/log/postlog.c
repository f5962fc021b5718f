/* Packets to postlogd and the lines made of them. */
#include "log/postlog.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "base/mem.h"
#include "log/log_int.h"

static void clean(const char *in, size_t n, const char *want, const char *what)
{
	struct buf out = {0};

	log_clean(&out, str_mem(in, n));
	is_str(buf_view(&out), str_of(want), what);
	buf_free(&out);
}

static void cleaning(void)
{
	clean("a\tb\r\nc\x7f", 7, "a?b??c?", "control characters");
	clean("x\0y", 3, "x?y", "NUL");
	clean("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "UTF-8 is kept");
	clean("\xc0\xaf", 2, "??", "overlong form");
	clean("\xed\xa0\x80", 3, "???", "surrogate");
	clean("\xc2\x85", 2, "??", "C1 control character");
	clean("\xe2\x82", 2, "??", "cut sequence");
	clean("\xf4\x90\x80\x80", 4, "????", "beyond U+10FFFF");
}

static void round_trip(void)
{
	struct postlog_record a = {1795397219, 4711, STR("postfix/smtpd"), STR("connect from x")},
			      r;
	struct buf packet = {0}, line = {0};
	str rest;

	postlog_put(&packet, &a);
	a.text = STR("");
	postlog_put(&packet, &a);
	rest = buf_view(&packet);
	is_int(postlog_take(&rest, &r), 1, "first record");
	is_int(r.pid, 4711, "pid");
	is_str(r.text, STR("connect from x"), "text");
	setenv("TZ", "UTC", 1);
	tzset();
	postlog_format(&line, &r);
	is_str(buf_view(&line), STR("Nov 23 01:26:59 mx postfix/smtpd[4711]: connect from x\n"),
	    "line");
	is_int(postlog_take(&rest, &r), 1, "second record");
	is_int(r.text.n, 0, "empty text");
	is_int(postlog_take(&rest, &r), 0, "end");
	buf_free(&line);
	buf_free(&packet);
}

static void malformed(void)
{
	struct postlog_record a = {1, 2, STR("tag"), STR("text")}, r;
	struct buf packet = {0};
	int bad = 0;

	postlog_put(&packet, &a);
	for (size_t n = 1; n < packet.n; n++) {
		char *exact = mem_memdup(packet.p, n); /* the sanitizer sees reads behind it */
		str rest = str_mem(exact, n);

		bad += postlog_take(&rest, &r) < 0;
		free(exact);
	}
	is_int(bad, (long long)packet.n - 1, "every cut is noticed");
	for (size_t at = 0; at < packet.n; at++)
		for (int bit = 0; bit < 8; bit++) {
			str rest = buf_view(&packet);

			packet.p[at] ^= (char)(1 << bit);
			while (postlog_take(&rest, &r) > 0)
				;
			packet.p[at] ^= (char)(1 << bit);
		}
	ok(1, "flipped bits do no harm");
	buf_free(&packet);
}

static void long_text(void)
{
	struct buf text = {0}, packet = {0};
	struct postlog_record a = {1, 2, STR("tag"), {0}}, r;
	str rest;

	memset(buf_room(&text, 100000), 'x', 100000);
	buf_added(&text, 100000);
	a.text = buf_view(&text);
	postlog_put(&packet, &a);
	rest = buf_view(&packet);
	is_int(postlog_take(&rest, &r), 1, "a long text is cut");
	is_int(packet.n, POSTLOG_RECORD_MAX, "to the limit");
	buf_free(&text);
	buf_free(&packet);
}

int main(void)
{
	tmpconf("");
	cleaning();
	round_trip();
	malformed();
	long_text();
	return done();
}
