/* Replies: soft_bounce, footers, error counting and the tarpit. */
#include "smtpd/session.h"

#include "loop/loop.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/footer.h"

#include <stdarg.h>

/* soft_bounce turns 5xx into 4xx, in the enhanced code as well. */
static void soften(struct buf *line)
{
	if (!conf.soft_bounce || line->n < 3 || line->p[0] != '5')
		return;
	line->p[0] = '4';
	if (line->n > 4 && line->p[4] == '5' && dsn_valid(str_from(buf_view(line), 4)) > 0)
		line->p[4] = '4';
}

/* Lines of one reply: "250-a", "250-b", "250 c". */
static void put_lines(struct session *s, str text)
{
	str code = str_head(text, 3), rest = str_from(text, 4), line;
	size_t esc = dsn_valid(rest);
	str enhanced = str_head(rest, esc);
	bool first = true;
	int64_t deadline = session_deadline(s);

	while (str_split(&rest, '\n', &line)) {
		char sep = rest.p ? '-' : ' ';
		if (first || esc == 0)
			stream_printf(s->io, deadline, "%.*s%c%.*s\r\n", STR_FMT(code), sep, STR_FMT(line));
		else
			stream_printf(s->io, deadline, "%.*s%c%.*s %.*s\r\n", STR_FMT(code), sep,
			    STR_FMT(enhanced), STR_FMT(line));
		first = false;
	}
}

static void count_error(struct session *s)
{
	s->errors++;
	s->failed = true;
	if (s->errors > conf.smtpd_soft_error_limit && conf.smtpd_error_sleep_time > 0)
		co_sleep(conf.smtpd_error_sleep_time * 1000L);
}

void session_reply_text(struct session *s, str text)
{
	struct buf line = {0};

	buf_str(&line, text);
	soften(&line);
	if (line.p[0] == '4' || line.p[0] == '5') {
		count_error(s);
		footer_add(s, &line);
	}
	put_lines(s, buf_view(&line));
	if (str_starts(buf_view(&line), STR("421")) || str_starts(buf_view(&line), STR("521")))
		s->ending = true;
	buf_free(&line);
}

void session_reply(struct session *s, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	session_reply_text(s, buf_view(&text));
	buf_free(&text);
}
