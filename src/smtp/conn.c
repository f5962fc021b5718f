/* A connection to one server: greeting, EHLO, QUIT. */
#include "smtp/smtp.h"

#include "base/mem.h"
#include "ipc/notice.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "queue/queue.h"
#include "service/service.h"
#include "table/table.h"

#include <stdlib.h>

static uint64_t discard_always;
static struct maps *discard_maps;

void conn_setup(void)
{
	struct err err;

	discard_maps = maps_open("smtp_discard_ehlo_keyword_address_maps",
	    conf.smtp_discard_ehlo_keyword_address_maps, 0);
	if (ehlo_mask(str_of(conf.smtp_discard_ehlo_keywords), &discard_always, &err) < 0)
		log_warn("smtp_discard_ehlo_keywords: %s", err.text);
}

struct conn *conn_new(struct stream *io, const struct host *h)
{
	struct conn *c = mem_zero(sizeof(*c));
	struct buf b = {0};
	char text[HOSTADDR_TEXT];

	c->io = io;
	c->name = mem_strdup(h->name);
	c->is_unix = h->path != NULL;
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
	char dsn[16];

	reply_joined(&c->reply, &text);
	*t = (struct trouble){
	    .permanent = c->reply.code / 100 != 4,
	    .dsn = arena_cstr(&d->arena, str_of(reply_dsn(&c->reply, dsn))),
	    .text = arena_printf(
		&d->arena, "host %s refused to talk to me: %s", c->namaddr, buf_text(&text)),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .diag = arena_cstr(&d->arena, buf_view(&text)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
	buf_free(&text);
}

/* "Never" becomes "not now". */
static void soften(struct delivery *d, struct trouble *t)
{
	if (t->dsn[0] != '4')
		t->dsn = arena_printf(&d->arena, "4%s", t->dsn + 1);
	t->permanent = false;
}

static bool says_it_is_us(const struct conn *c)
{
	str first, word;

	return reply_get_line(&c->reply, 0, &first) && str_word(&first, " \t", &word) &&
	       str_eq_nocase(word, str_of(conf.myhostname));
}

static int greeting(
    struct delivery *d, struct conn *c, const struct host *h, bool detect_loop, struct trouble *t)
{
	if (chat_reply(c, conf.smtp_helo_timeout) < 0) {
		trouble_lost(d, c, t);
		return -1;
	}
	if (c->reply.code / 100 == 2) {
		if (detect_loop && says_it_is_us(c))
			log_warn("host %s greeted me with my own hostname %s", c->relay,
			    conf.myhostname);
		pix_look(c, d, h);
		return 0;
	}
	refused(d, c, t);
	if (conf.smtp_skip_5xx_greeting && c->reply.code / 100 == 5)
		soften(d, t);
	return -1;
}

static uint64_t discard_mask(const struct host *h)
{
	uint64_t mask = discard_always;
	char text[HOSTADDR_TEXT];
	struct buf value = {0};
	enum table_result r;
	struct err err;

	if (h->path || maps_empty(discard_maps))
		return mask;
	r = maps_get(discard_maps, str_of(hostaddr_text(&h->addr, text)), &value, &err);
	if (r == TABLE_ERROR || (r == TABLE_FOUND && ehlo_mask(buf_view(&value), &mask, &err) < 0))
		log_warn("smtp_discard_ehlo_keyword_address_maps: %s", err.text);
	buf_free(&value);
	return mask;
}

static void log_discarded(uint64_t mask)
{
	struct buf names = {0};

	if (!(mask & ~(uint64_t)EHLO_SILENT_DISCARD) || (mask & EHLO_SILENT_DISCARD))
		return;
	ehlo_print(&names, mask);
	log_info("discarding EHLO keywords: %s", buf_text(&names));
	buf_free(&names);
}

static void take_caps(struct conn *c, const struct host *h)
{
	uint64_t discard = discard_mask(h);
	str line;

	for (unsigned i = 1; reply_get_line(&c->reply, i, &line); i++)
		ehlo_cap(&c->caps, line);
	log_discarded(discard);
	c->caps.mask &= ~discard;
	if (c->caps.bad_size.n && (c->caps.mask & EHLO_SIZE))
		log_warn("bad EHLO SIZE limit \"%.*s\" from %s",
		    STR_FMT(str_head(c->caps.bad_size, 100)), c->relay);
	/* RFC 6531 3.1: one goes with the other. */
	if ((c->caps.mask & EHLO_SMTPUTF8) && !(c->caps.mask & EHLO_8BITMIME)) {
		log_info("host %s offers SMTPUTF8 support, but not 8BITMIME", c->namaddr);
		c->caps.mask |= EHLO_8BITMIME;
	}
	if (c->caps.mask & EHLO_XFORWARD)
		c->xforward = xforward_attrs(c->caps.xforward);
	/* These point into the reply, which does not last. */
	c->caps.auth = c->caps.xclient = c->caps.xforward = c->caps.bad_size = (str){NULL, 0};
}

/* smtp_always_send_ehlo, smtp_never_send_ehlo; c->reply is the greeting. */
static bool wants_ehlo(const struct conn *c)
{
	str text = buf_view(&c->reply.text), word;

	if (smtp_is_lmtp())
		return true;
	if (pix_wants_helo(c))
		return false;
	if (conf.smtp_always_send_ehlo || conf.smtp_never_send_ehlo)
		return !conf.smtp_never_send_ehlo;
	while (str_word(&text, " \t\n", &word))
		if (str_eq_nocase(word, STR("ESMTP")))
			return true;
	return false;
}

/* One of EHLO, LHLO, HELO; 0 when there is a reply. */
static int say_hello(struct conn *c, const char *verb, const char *phase)
{
	const char *name = *conf.smtp_helo_name ? conf.smtp_helo_name : conf.myhostname;

	c->phase = phase;
	chat_put(c, conf.smtp_helo_timeout, "%s %s", verb, name);
	return chat_reply(c, conf.smtp_helo_timeout);
}

/* A server that does not know EHLO gets HELO (RFC 5321 3.2); LMTP knows LHLO only. */
static int hello(struct delivery *d, struct conn *c, const struct host *h, struct trouble *t)
{
	if (wants_ehlo(c)) {
		if (smtp_is_lmtp() ? say_hello(c, "LHLO", "performing the LHLO handshake") < 0
				   : say_hello(c, "EHLO", "performing the EHLO handshake") < 0)
			goto lost;
		c->esmtp = c->reply.code / 100 == 2;
		if (c->esmtp) {
			take_caps(c, h);
			return 0;
		}
		if (smtp_is_lmtp() || c->closing) {
			refused(d, c, t);
			return -1;
		}
	}
	if (say_hello(c, "HELO", "performing the HELO handshake") < 0)
		goto lost;
	if (c->reply.code / 100 == 2)
		return 0;
	refused(d, c, t);
	return -1;
lost:
	trouble_lost(d, c, t);
	return -1;
}

int conn_greet(
    struct conn *c, struct delivery *d, const struct host *h, bool detect_loop, struct trouble *t)
{
	c->work = arena_printf(&d->arena, "%.*s: ", STR_FMT(d->m.queue_id));
	if (greeting(d, c, h, detect_loop, t) < 0 || hello(d, c, h, t) < 0)
		return -1;
	if (!detect_loop || smtp_is_lmtp() || !says_it_is_us(c))
		return 0;
	log_warn("host %s replied to HELO/EHLO with my own hostname %s", c->relay, conf.myhostname);
	*t = (struct trouble){
	    .permanent = true,
	    .dsn = "5.4.6",
	    .text = arena_printf(
		&d->arena, "mail for %.*s loops back to myself", STR_FMT(d->m.nexthop)),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
	return -1;
}

struct conn *conn_open(
    struct delivery *d, const struct host *h, bool detect_loop, struct trouble *t)
{
	struct stream *io = dial(d, h, t);
	struct conn *c;

	if (!io)
		return NULL;
	c = conn_new(io, h);
	if (conn_greet(c, d, h, detect_loop, t) == 0)
		return c;
	cache_close(c);
	return NULL;
}

/* --- the postmaster is told of a session that went against the protocol (notify_classes) */

struct complaint {
	char *relay;
	struct buf said;
};

static void complain(void *arg)
{
	struct complaint *p = arg;
	struct buf subject = {0}, intro = {0};
	char id[QUEUE_ID_MAX];
	struct notice n = {
	    .id = id, .to = conf.error_notice_recipient, .transcript = buf_view(&p->said)};

	buf_printf(
	    &subject, "%s client: errors from %s", smtp_is_lmtp() ? "LMTP" : "SMTP", p->relay);
	buf_printf(&intro, "%s answered as if a command had been wrong.", p->relay);
	queue_id_new(id);
	n.subject = buf_text(&subject);
	n.intro = buf_text(&intro);
	notice_send(&n);
	buf_free(&subject);
	buf_free(&intro);
	buf_free(&p->said);
	free(p->relay);
	free(p);
}

/* Nobody waits for the notice. */
static void complain_of(struct conn *c)
{
	struct complaint *p = mem_zero(sizeof(*p));

	p->relay = mem_strdup(c->relay);
	p->said = c->said;
	c->said = (struct buf){0};
	co_start(service_scope(), "notice", complain, p);
}

void conn_free(struct conn *c)
{
	if (c->unexpected && c->said.n)
		complain_of(c);
	stream_free(c->io);
	buf_free(&c->said);
	reply_free(&c->reply);
	free(c->name);
	free(c->namaddr);
	free(c->relay);
	free(c->key);
	free(c);
}

void conn_close(struct conn *c)
{
	if (!c->broken) {
		chat_put(c, 1, "QUIT");
		if (conf.smtp_skip_quit_response)
			stream_flush(c->io, deadline_in(1000));
		else
			chat_reply(c, conf.smtp_quit_timeout);
	}
	conn_free(c);
}
