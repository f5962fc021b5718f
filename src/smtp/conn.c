/* A connection to one server: connect, greeting, EHLO, commands and replies. */
#include "smtp/smtp.h"

#include "log/event.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "table/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

static struct maps *reply_filter;
static uint64_t discard_always;
static struct maps *discard_maps;
static struct hostaddr bind4, bind6;
static bool have_bind4, have_bind6;

void conn_setup(void)
{
	struct err err;

	reply_filter = maps_open("smtp_reply_filter", conf.smtp_reply_filter, 0);
	discard_maps = maps_open("smtp_discard_ehlo_keyword_address_maps",
	    conf.smtp_discard_ehlo_keyword_address_maps, 0);
	if (ehlo_mask(str_of(conf.smtp_discard_ehlo_keywords), &discard_always, &err) < 0)
		log_warn("smtp_discard_ehlo_keywords: %s", err.text);
	have_bind4 = *conf.smtp_bind_address &&
		     hostaddr_parse(&bind4, str_of(conf.smtp_bind_address), 0, &err) == 0;
	have_bind6 = *conf.smtp_bind_address6 &&
		     hostaddr_parse(&bind6, str_of(conf.smtp_bind_address6), 0, &err) == 0;
}

void conn_put(struct conn *c, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_cstr(&line, "\r\n");
	if (stream_write(c->io, line.p, line.n, deadline_in(conf.smtp_mail_timeout * 1000L)) !=
	    WAIT_OK)
		c->broken = true;
	buf_free(&line);
}

static int wait_errno(enum wait w)
{
	return w == WAIT_TIMEOUT ? ETIMEDOUT : w == WAIT_ERROR ? errno : ECONNRESET;
}

/* smtp_reply_filter sees line by line and may change it. */
static enum reply_state take_line(struct conn *c, str line)
{
	struct buf changed = {0};
	enum reply_state state;
	struct err err;

	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (!maps_empty(reply_filter) &&
	    maps_get(reply_filter, line, &changed, &err) == TABLE_FOUND)
		line = buf_view(&changed);
	state = reply_line(&c->reply, line);
	buf_free(&changed);
	return state;
}

int conn_reply(struct conn *c, int timeout_s)
{
	int64_t deadline = deadline_in(timeout_s * 1000L);
	enum reply_state state = REPLY_MORE;
	enum wait w;
	str line;

	reply_start(&c->reply);
	w = stream_flush(c->io, deadline);
	while (w == WAIT_OK && state == REPLY_MORE) {
		w = stream_gets(c->io, REPLY_LINE_MAX, &line, deadline);
		if (w == WAIT_OK) {
			state = take_line(c, line);
		} else if (w == WAIT_LIMIT) {
			char keep[512];
			size_t n = line.n < sizeof(keep) ? line.n : sizeof(keep);
			memcpy(keep, line.p, n);
			while (
			    (w = stream_gets(c->io, REPLY_LINE_MAX, &line, deadline)) == WAIT_LIMIT)
				;
			state = take_line(c, str_mem(keep, n));
		}
	}
	if (w != WAIT_OK) {
		c->broken = true;
		errno = wait_errno(w);
		return -1;
	}
	if (state == REPLY_BAD) {
		log_warn("%s: malformed reply: %.100s", c->namaddr, buf_text(&c->reply.text));
		c->broken = true;
		errno = EPROTO;
		return -1;
	}
	if (c->reply.code == 421)
		c->broken = true;
	return 0;
}

static struct stream *dial(struct delivery *d, const struct host *h, struct trouble *t)
{
	int64_t deadline = conf.smtp_connect_timeout > 0
			       ? deadline_in(conf.smtp_connect_timeout * 1000L)
			       : FOREVER;
	char text[HOSTADDR_TEXT];
	const char *where;
	struct stream *s;
	struct err err;

	if (h->path) {
		s = stream_connect_unix(h->path, deadline, &err);
		where = arena_printf(&d->arena, "%s[%s]", h->name, h->path);
	} else {
		bool v6 = h->addr.sa.sa_family == AF_INET6;
		const struct hostaddr *from =
		    v6 ? (have_bind6 ? &bind6 : NULL) : (have_bind4 ? &bind4 : NULL);
		s = stream_connect(&h->addr, from, deadline, &err);
		where = arena_printf(&d->arena, "%s[%s]:%u", h->name, hostaddr_text(&h->addr, text),
		    hostaddr_port(&h->addr));
	}
	if (s) {
		return s;
	}
	const char *why = strerror(err.code ? err.code : ECONNREFUSED);
	log_smtp_connect(where, why);
	*t = (struct trouble){
	    .dsn = "4.4.1",
	    .text = arena_printf(&d->arena, "connect to %s: %s", where, why),
	    .relay = "none",
	};
	return NULL;
}

static struct conn *new_conn(struct stream *io, const struct host *h)
{
	struct conn *c = mem_zero(sizeof(*c));
	struct buf b = {0};
	char text[HOSTADDR_TEXT];

	c->io = io;
	c->name = mem_strdup(h->name);
	buf_printf(&b, "%s[%s]", h->name, h->path ? h->path : hostaddr_text(&h->addr, text));
	c->namaddr = mem_strdup(b.p);
	if (!h->path)
		buf_printf(&b, ":%u", hostaddr_port(&h->addr));
	c->relay = b.p;
	c->opened_ms = loop_now();
	c->phase = "receiving the initial server greeting";
	list_init(&c->node);
	return c;
}

static void refused(struct delivery *d, struct conn *c, struct trouble *t)
{
	struct buf text = {0};

	reply_joined(&c->reply, &text);
	*t = (struct trouble){
	    .permanent = c->reply.code / 100 == 5,
	    .dsn = c->reply.dsn[0] ? arena_cstr(&d->arena, str_of(c->reply.dsn))
				   : arena_printf(&d->arena, "%d.0.0", c->reply.code / 100),
	    .text = arena_printf(
		&d->arena, "host %s refused to talk to me: %s", c->namaddr, buf_text(&text)),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .diag = arena_cstr(&d->arena, buf_view(&text)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
	buf_free(&text);
}

/* smtp_skip_5xx_greeting: a 5xx greeting means "try the next one", not "never". */
static void soften(struct delivery *d, struct trouble *t)
{
	if (t->permanent && t->dsn[0] == '5')
		t->dsn = arena_printf(&d->arena, "4%s", t->dsn + 1);
	t->permanent = false;
}

/* Greeting; 0, or -1 and *t. */
static int greeting(struct delivery *d, struct conn *c, struct trouble *t)
{
	if (conn_reply(c, conf.smtp_helo_timeout) < 0) {
		trouble_lost(d, c, errno, t);
		return -1;
	}
	if (c->reply.code / 100 == 2)
		return 0;
	refused(d, c, t);
	if (conf.smtp_skip_5xx_greeting)
		soften(d, t);
	return -1;
}

static uint64_t discard_mask(const struct host *h)
{
	uint64_t mask = discard_always;
	char text[HOSTADDR_TEXT];
	struct buf value = {0};
	struct err err;

	if (!h->path && !maps_empty(discard_maps) &&
	    maps_get(discard_maps, str_of(hostaddr_text(&h->addr, text)), &value, &err) ==
		TABLE_FOUND)
		ehlo_mask(buf_view(&value), &mask, &err);
	buf_free(&value);
	return mask;
}

static void take_caps(struct conn *c, const struct host *h)
{
	str line;

	for (unsigned i = 1; reply_get_line(&c->reply, i, &line); i++)
		ehlo_cap(&c->caps, line);
	c->caps.mask &= ~discard_mask(h);
	/* These point into the reply, which does not last. */
	c->caps.auth = c->caps.xclient = c->caps.xforward = (str){NULL, 0};
}

static bool says_it_is_us(const struct conn *c)
{
	str first, word;

	return reply_get_line(&c->reply, 0, &first) && str_word(&first, " \t", &word) &&
	       str_eq_nocase(word, str_of(conf.myhostname));
}

static int hello(
    struct delivery *d, struct conn *c, const struct host *h, bool detect_loop, struct trouble *t)
{
	const char *name = *conf.smtp_helo_name ? conf.smtp_helo_name : conf.myhostname;
	const char *verb = smtp_is_lmtp() ? "LHLO" : "EHLO";
	bool try_ehlo = smtp_is_lmtp() || conf.smtp_always_send_ehlo || !conf.smtp_never_send_ehlo;

	c->phase =
	    smtp_is_lmtp() ? "performing the LHLO handshake" : "performing the EHLO handshake";
	if (try_ehlo) {
		conn_put(c, "%s %s", verb, name);
		if (conn_reply(c, conf.smtp_helo_timeout) < 0)
			goto lost;
		c->esmtp = c->reply.code / 100 == 2;
	}
	if (c->esmtp) {
		take_caps(c, h);
	} else if (smtp_is_lmtp() || c->broken || (try_ehlo && c->reply.code / 100 == 4)) {
		refused(d, c, t);
		soften(d, t);
		return -1;
	} else {
		c->phase = "performing the HELO handshake";
		conn_put(c, "HELO %s", name);
		if (conn_reply(c, conf.smtp_helo_timeout) < 0)
			goto lost;
		if (c->reply.code / 100 != 2) {
			refused(d, c, t);
			return -1;
		}
	}
	if (detect_loop && !smtp_is_lmtp() && says_it_is_us(c)) {
		log_warn("host %s replied to HELO/EHLO with my own hostname %s", c->namaddr,
		    conf.myhostname);
		*t = (struct trouble){
		    .permanent = true,
		    .dsn = "5.4.6",
		    .text = arena_printf(
			&d->arena, "mail for %.*s loops back to myself", STR_FMT(d->m.nexthop)),
		    .relay = arena_cstr(&d->arena, str_of(c->relay)),
		};
		return -1;
	}
	return 0;
lost:
	trouble_lost(d, c, errno, t);
	return -1;
}

struct conn *conn_open(struct delivery *d, const struct host *h, const struct nexthop *n,
    bool detect_loop, struct trouble *t, bool *was_refused)
{
	struct stream *io = dial(d, h, t);
	struct conn *c;

	*was_refused = false;
	if (!io)
		return NULL;
	c = new_conn(io, h);
	(void)n;
	if (greeting(d, c, t) == 0 && hello(d, c, h, detect_loop, t) == 0)
		return c;
	*was_refused = true;
	conn_close(c);
	return NULL;
}

void conn_close(struct conn *c)
{
	if (!c->broken) {
		conn_put(c, "QUIT");
		if (!c->broken && stream_flush(c->io, deadline_in(1000)) == WAIT_OK &&
		    !conf.smtp_skip_quit_response)
			conn_reply(c, conf.smtp_quit_timeout);
	}
	stream_free(c->io);
	reply_free(&c->reply);
	free(c->name);
	free(c->namaddr);
	free(c->relay);
	free(c->key);
	free(c);
}
