#include "smtpd/proxy_int.h"

#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"

/* A filter that goes on sending lines holds us no longer than this many times the limit. */
#define PATIENCE 3
/* Of what goes wrong, so much is logged. */
#define LOGGED 200

int64_t proxy_deadline(void)
{
	return deadline_in(conf.smtpd_proxy_timeout * 1000L);
}

void proxy_broke(struct proxy *p, enum wait how)
{
	if (!p->broken && how == WAIT_TIMEOUT)
		log_warn("timeout talking to proxy %s", p->name);
	else if (!p->broken && how != WAIT_CANCEL)
		log_warn("lost connection with proxy %s", p->name);
	p->broken = true;
}

/* A line into *line; of one that is too long the beginning. */
static enum wait next_line(struct proxy *p, struct buf *line, int64_t deadline)
{
	str piece;
	enum wait w = stream_gets(p->io, REPLY_LINE_MAX, &piece, deadline);

	buf_clear(line);
	if (w == WAIT_OK || w == WAIT_LIMIT)
		buf_str(line, piece);
	if (w == WAIT_LIMIT)
		log_warn("%s: response longer than %d: %.*s...", p->name, REPLY_LINE_MAX,
		    STR_FMT(str_head(piece, 30)));
	while (w == WAIT_LIMIT)
		w = stream_gets(p->io, REPLY_LINE_MAX, &piece, deadline);
	return w;
}

static enum reply_state take_line(struct proxy *p, struct buf *line)
{
	bool known = p->reply.garbage;
	enum reply_state state = reply_line(&p->reply, buf_view(line));
	struct buf shown = {0};

	if (p->reply.garbage && !known) {
		buf_escape(&shown, str_trim(buf_view(line)), LOGGED);
		log_warn("received garbage from proxy %s: %s", p->name, buf_text(&shown));
		buf_free(&shown);
	}
	return state;
}

int proxy_listen(struct proxy *p)
{
	int64_t last = deadline_in(conf.smtpd_proxy_timeout * 1000L * PATIENCE);
	enum reply_state state = REPLY_MORE;
	struct buf line = {0};
	enum wait w = WAIT_OK;

	reply_start(&p->reply);
	while (w == WAIT_OK && state == REPLY_MORE) {
		w = next_line(p, &line, deadline_min(last, proxy_deadline()));
		if (w == WAIT_OK)
			state = take_line(p, &line);
	}
	buf_free(&line);
	if (w != WAIT_OK) {
		proxy_broke(p, w);
		return -1;
	}
	if (state == REPLY_BAD || p->reply.inconsistent) {
		log_warn("proxy %s: %s", p->name,
		    state == REPLY_BAD ? "reply without end" : "reply with several codes");
		p->broken = true;
		return -1;
	}
	if (p->reply.code == 421)
		p->broken = true;
	return 0;
}

static void log_refusal(struct proxy *p, str line)
{
	struct buf text = {0};

	reply_joined(&p->reply, &text);
	log_warn("proxy %s rejected \"%.*s\": \"%.*s\"", p->name,
	    STR_FMT(line.p ? line : STR("connection request")),
	    STR_FMT(str_head(buf_view(&text), LOGGED)));
	buf_free(&text);
}

/* What it has said already would be taken for the answer to what it is asked next. */
static bool is_out_of_step(struct proxy *p)
{
	if (stream_buffered(p->io) == 0)
		return false;
	log_warn("proxy %s: more replies than commands", p->name);
	p->broken = true;
	return true;
}

int proxy_ask(struct proxy *p, str line, int code, bool pass)
{
	enum wait w = WAIT_OK;
	int class;

	if (p->broken || (line.p && is_out_of_step(p)))
		return -1;
	if (line.p) {
		stream_write(p->io, line.p, line.n, proxy_deadline());
		stream_write(p->io, "\r\n", 2, proxy_deadline());
		w = stream_flush(p->io, proxy_deadline());
	}
	if (w != WAIT_OK) {
		proxy_broke(p, w);
		return -1;
	}
	if (proxy_listen(p) < 0)
		return -1;
	class = p->reply.code / 100;
	/* Who talks nonsense before the content is not trusted with it. */
	if (!p->reply.garbage && (p->reply.code == code || class == code))
		return 0;
	log_refusal(p, line);
	p->passed = pass && !p->reply.garbage && (class == 4 || class == 5);
	return -1;
}
