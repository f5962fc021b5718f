/* Replies: soft_bounce, filters, footers, error counting and the tarpit. */
#include "smtpd/session.h"

#include "log/log.h"
#include "loop/loop.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/footer.h"
#include "smtpd/restrict.h"
#include "smtpd/transcript.h"
#include "smtpwire/reply.h"
#include "table/table.h"

#include <stdarg.h>

static struct maps *filter;

void reply_setup(void)
{
	filter = maps_open("smtpd_reject_filter_maps", conf.smtpd_reject_filter_maps, 0);
	footer_setup();
	transcript_setup();
}

/* "550-5.7.0 no\n550 5.7.0 never": a reply of somebody else, each line with its code. Others have
 * the code in front only. */
static bool has_codes(str text)
{
	ptrdiff_t end = str_chr(text, '\n');
	str next = str_from(text, (size_t)(end + 1));

	return end > 3 && text.p[3] == '-' && next.n > 3 && memcmp(next.p, text.p, 3) == 0 &&
	       (next.p[3] == '-' || next.p[3] == ' ');
}

static void soften_line(struct buf *text, size_t at)
{
	if (text->n < at + 3 || text->p[at] != '5')
		return;
	text->p[at] = '4';
	if (text->n > at + 4 && text->p[at + 4] == '5' &&
	    dsn_valid(str_from(buf_view(text), at + 4)) > 0)
		text->p[at + 4] = '4';
}

void reply_soften(struct buf *text)
{
	bool all = has_codes(buf_view(text));

	if (!conf.soft_bounce)
		return;
	soften_line(text, 0);
	for (size_t i = 0; all && i < text->n; i++)
		if (text->p[i] == '\n')
			soften_line(text, i + 1);
}

/* smtpd_reject_filter_maps: the whole refusal is the key, the result another refusal. */
static void filter_refusal(struct session *s, struct buf *text)
{
	struct buf value = {0};
	struct err err;
	str dsn, rest;
	int code;

	if (maps_empty(filter))
		return;
	switch (maps_get(filter, buf_view(text), &value, &err)) {
	case TABLE_FOUND:
		if (!reply_split(buf_view(&value), &code, &dsn, &rest) || code < 400) {
			log_warn("smtpd_reject_filter_maps: bad reply \"%s\" for \"%s\"",
			    buf_text(&value), buf_text(text));
			break;
		}
		restrict_log(s, "reject filter in", buf_text(text));
		restrict_log(s, "reject filter out", buf_text(&value));
		buf_clear(text);
		buf_str(text, buf_view(&value));
		break;
	case TABLE_ERROR:
		log_warn("smtpd_reject_filter_maps: %s", err.text);
		break;
	default:
		break;
	}
	buf_free(&value);
}

static void count_error(struct session *s)
{
	s->errors++;
	s->failed = true;
}

/* A client that has made many mistakes is answered slowly. */
static void tarpit(struct session *s)
{
	if (s->errors >= conf.smtpd_soft_error_limit && conf.smtpd_error_sleep_time > 0)
		co_sleep(conf.smtpd_error_sleep_time * 1000L);
}

static void put_lines(struct buf *wire, str lines)
{
	str line;

	while (str_split(&lines, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		for (size_t i = 0; i < line.n; i++)
			buf_char(wire, (unsigned char)line.p[i] < ' ' ? '?' : line.p[i]);
		buf_cstr(wire, "\r\n");
	}
}

static void put(struct session *s, struct buf *text, str footer)
{
	struct buf wire = {0};
	str dsn, rest;
	int code;

	if (!reply_split(buf_view(text), &code, &dsn, &rest)) {
		log_warn("bad reply to %s: %s", s->client.namaddr, buf_text(text));
		code = 451;
		dsn = STR("4.3.5");
		rest = STR("Server configuration error");
	}
	if (has_codes(buf_view(text))) {
		put_lines(&wire, buf_view(text));
	} else if (dsn.n) { /* behind a code of the same class only: milters and tables may say
			       anything */
		char class[16] = "";
		memcpy(class, dsn.p, dsn.n < sizeof(class) ? dsn.n : sizeof(class) - 1);
		reply_put(&wire, code, class, rest, true);
	} else {
		reply_put(&wire, code, NULL, rest, true);
	}
	if (footer.n)
		reply_put_footer(&wire, 0, footer);
	reply_fold(&wire, 0);
	stream_write(s->io, wire.p, wire.n, session_deadline(s));
	transcript_out(s, buf_view(&wire), code, dsn);
	buf_free(&wire);
	if (code == 421 || code == 521)
		s->ending = true;
}

static void reply(struct session *s, str said, bool counts)
{
	struct buf text = {0}, footer = {0};

	buf_str(&text, said);
	reply_soften(&text);
	tarpit(s);
	if (text.n && (text.p[0] == '4' || text.p[0] == '5')) {
		if (counts)
			count_error(s);
		filter_refusal(s, &text);
		footer_get(s, buf_view(&text), &footer);
	}
	put(s, &text, buf_view(&footer));
	buf_free(&text);
	buf_free(&footer);
}

void session_reply_text(struct session *s, str text)
{
	reply(s, text, true);
}

void session_reply_free(struct session *s, const char *text)
{
	reply(s, str_of(text), false);
}

void session_reply(struct session *s, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	reply(s, buf_view(&text), true);
	buf_free(&text);
}
