/* Commands and replies, with their time limits. */
#include "smtp/smtp.h"

#include "ipc/notice.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "table/table.h"

#include <errno.h>

/* A time limit is for each line as a rule, and for the whole reply with smtp_per_request_deadline.
 * But a server that goes on sending lines does not hold us longer than this many times the limit.
 */
#define REPLY_PATIENCE 3

static struct maps *reply_filter;
static bool keeping; /* transcripts */

void chat_setup(void)
{
	reply_filter = maps_open("smtp_reply_filter", conf.smtp_reply_filter, 0);
	keeping = notice_classes() & NOTICE_PROTOCOL;
}

void chat_broke(struct conn *c, enum wait w)
{
	c->broken = true;
	c->error = w == WAIT_TIMEOUT ? ETIMEDOUT : w == WAIT_ERROR ? errno : ECONNRESET;
}

void chat_put(struct conn *c, int timeout_s, const char *fmt, ...)
{
	struct buf line = {0};
	enum wait w;
	va_list ap;

	if (c->broken)
		return;
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	if (keeping)
		notice_line(&c->said, " Out: ", buf_view(&line));
	buf_cstr(&line, "\r\n");
	w = stream_write(c->io, line.p, line.n, deadline_in(timeout_s * 1000L));
	if (w != WAIT_OK)
		chat_broke(c, w);
	buf_free(&line);
}

/* smtp_reply_filter sees line by line and may change it. */
static enum reply_state take_line(struct conn *c, str line)
{
	struct buf changed = {0};
	enum reply_state state;
	struct err err;
	bool known_garbage = c->reply.garbage;

	line = str_chomp(line);
	if (!maps_empty(reply_filter)) {
		enum table_result r = maps_get(reply_filter, line, &changed, &err);
		if (r == TABLE_FOUND) {
			log_info("%s: replacing server reply \"%.*s\" with \"%s\"", c->relay,
			    STR_FMT(str_head(line, 512)), buf_text(&changed));
			line = buf_view(&changed);
		} else if (r == TABLE_ERROR)
			log_warn("smtp_reply_filter: %s", err.text);
	}
	if (keeping)
		notice_line(&c->said, " In:  ", line);
	state = reply_line(&c->reply, line);
	if (c->reply.garbage && !known_garbage)
		log_warn("%snon-%s response from %s: %.*s", c->work ? c->work : "",
		    smtp_is_lmtp() ? "LMTP" : "ESMTP", c->relay, STR_FMT(str_head(line, 100)));
	buf_free(&changed);
	return state;
}

/* The next line into *line; the end of one that is too long is dropped. */
static enum wait next_line(struct conn *c, struct buf *line, int64_t deadline)
{
	str piece;
	enum wait w = stream_gets(c->io, REPLY_LINE_MAX, &piece, deadline);

	buf_clear(line);
	if (w != WAIT_OK && w != WAIT_LIMIT)
		return w;
	buf_str(line, piece);
	if (w == WAIT_LIMIT)
		log_warn("%s: response longer than %d: %.*s...", c->relay, REPLY_LINE_MAX,
		    STR_FMT(str_head(piece, 30)));
	while (w == WAIT_LIMIT)
		w = stream_gets(c->io, REPLY_LINE_MAX, &piece, deadline);
	return w;
}

int chat_reply(struct conn *c, int timeout_s)
{
	int64_t limit = timeout_s * 1000L;
	int64_t last = deadline_in(conf.smtp_per_request_deadline ? limit : limit * REPLY_PATIENCE);
	enum reply_state state = REPLY_MORE;
	struct buf line = {0};
	enum wait w;

	if (c->broken)
		return -1;
	reply_start(&c->reply);
	w = stream_flush(c->io, deadline_in(limit));
	while (w == WAIT_OK && state == REPLY_MORE) {
		w = next_line(c, &line, deadline_min(last, deadline_in(limit)));
		if (w == WAIT_OK)
			state = take_line(c, buf_view(&line));
	}
	buf_free(&line);
	if (w != WAIT_OK) {
		chat_broke(c, w);
		return -1;
	}
	if (state == REPLY_BAD) {
		log_warn("%s: reply without end while %s", c->relay, c->phase);
		c->broken = true;
		c->error = EPROTO;
		return -1;
	}
	c->closing |= c->reply.code == 421;
	return 0;
}
