#include "smtpd/content.h"

#include "log/event.h"
#include "log/log.h"
#include "param/param.h"
#include "smtpd/destination.h"
#include "smtpd/received.h"
#include "smtpd/restrict.h"
#include "smtpd/standalone.h"
#include "smtpwire/wire.h"

#include <stdio.h>

struct content {
	const struct destination *dest;
	void *to;	     /* NULL: it was refused early */
	const char *refusal; /* reply for the end of data; NULL: none */
	struct buf piece;    /* where the destination takes no direct way */
	bool direct;
	uint64_t received;	 /* bytes from the client (BDAT: with CRLF line ends) */
	struct wire_stuff stuff; /* BDAT */
};

static const struct destination *choose(const struct session *s)
{
	if (s->tx.act.discard)
		return &dest_nowhere;
	if (standalone_drops())
		return &dest_drop;
	if (s->tx.proxied)
		return &dest_proxy;
	return &dest_cleanup;
}

static void give_up(struct content *c)
{
	if (c->to)
		c->dest->abort(c->to);
	c->to = NULL;
}

bool content_begin(struct session *s)
{
	struct content *c = arena_zero(&s->tx.arena, sizeof(*c));

	c->stuff.lead.on = true;
	if (s->tx.proxied && (s->tx.act.hold || s->tx.act.discard))
		transaction_to_queue(s);
	c->dest = choose(s);
	c->to = c->dest->begin(s);
	if (!c->to)
		return false;
	s->content = c;
	return true;
}

void content_head(struct session *s, struct buf *out)
{
	if (s->tx.has_head)
		return;
	for (size_t i = 0; i < s->tx.act.nprepend; i++) {
		buf_str(out, s->tx.act.prepend[i]);
		buf_cstr(out, "\r\n");
	}
	/* A message on its way through several filters carries the header of the first gateway. */
	if (!s->tx.proxied || !s->forwarded)
		received_header(s, out);
}

void content_put(struct session *s, str wire)
{
	struct content *c = s->content;

	if (c->refusal)
		give_up(c);
	if (c->to)
		c->dest->put(c->to, wire);
}

struct buf *content_room(struct session *s)
{
	struct content *c = s->content;
	struct buf *room = NULL;

	if (!c->refusal && c->to && c->dest->room)
		room = c->dest->room(c->to);
	c->direct = room != NULL;
	return room ? room : &c->piece;
}

void content_added(struct session *s)
{
	struct content *c = s->content;

	if (!c->direct) {
		content_put(s, buf_view(&c->piece));
		buf_clear(&c->piece);
	} else if (c->refusal) {
		give_up(c);
	} else {
		c->dest->added(c->to);
	}
}

void content_count(struct session *s, uint64_t received, uint64_t size)
{
	struct content *c = s->content;

	c->received = received;
	s->tx.size = size;
	if (conf.message_size_limit > 0 && size > (uint64_t)conf.message_size_limit &&
	    !c->refusal) {
		log_smtpd_size(s->tx.queue_id);
		content_refuse(s, "552 5.3.4 Error: message file too big");
	}
}

uint64_t content_bytes(const struct session *s)
{
	return s->content ? s->content->received : 0;
}

void content_refuse(struct session *s, const char *reply)
{
	if (!s->content->refusal)
		s->content->refusal = reply;
}

const char *content_refusal(const struct session *s)
{
	return s->content ? s->content->refusal : NULL;
}

void content_newlines(struct session *s, bool bare_lf)
{
	char reply[256];

	if (!bare_lf || !s->bare_newline_policy)
		return;
	if (strcasecmp(conf.smtpd_forbid_bare_newline, "reject") == 0) {
		s->stage = "END-OF-MESSAGE";
		restrict_log(s, "reject", "bare <LF> received");
		snprintf(reply, sizeof(reply), "%d 5.5.2 %s Error: bare <LF> received",
		    conf.smtpd_forbid_bare_newline_reject_code, conf.myhostname);
		content_refuse(s, arena_cstr(&s->tx.arena, str_of(reply)));
	} else if (strcasecmp(conf.smtpd_forbid_bare_newline, "note") == 0) {
		log_info("%s: disconnect: END-OF-MESSAGE from %s: bare <LF> received",
		    s->tx.queue_id[0] ? s->tx.queue_id : "NOQUEUE", s->client.namaddr);
	}
}

void content_unstuffed(struct session *s, str raw, struct buf *out)
{
	struct content *c = s->content;

	wire_stuff_feed(&c->stuff, raw, out);
	content_count(s, c->stuff.size, c->stuff.size);
}

void content_unstuffed_end(struct session *s, struct buf *out)
{
	struct content *c = s->content;

	wire_stuff_end(&c->stuff, out);
	content_count(s, c->stuff.size, c->stuff.size);
	content_newlines(s, s->content->stuff.bare_lf);
}

void content_abort(struct session *s)
{
	give_up(s->content);
	buf_free(&s->content->piece);
	s->content = NULL;
}

/* --- the end */

void content_queued(struct session *s, str id)
{
	s->errors = s->junk = 0;
	s->trouble = 0;
	if (s->bdat == BDAT_OK)
		session_reply(s, "250 2.0.0 Ok: %llu bytes queued as %.*s",
		    (unsigned long long)s->content->received, STR_FMT(id));
	else
		session_reply(s, "250 2.0.0 Ok: queued as %.*s", STR_FMT(id));
}

static void commit(struct session *s, struct content *c)
{
	void *to = c->to;

	c->to = NULL;
	c->dest->commit(s, to);
}

void content_end(struct session *s)
{
	struct content *c = s->content;

	s->stage = "END-OF-MESSAGE";
	if (c->refusal)
		session_reply(s, "%s", c->refusal);
	else if (!restrict_end_of_data(s))
		session_reply_text(s, buf_view(&s->verdict));
	else
		commit(s, c);
	give_up(c);
	buf_free(&c->piece);
	transaction_reset(s);
	forwarded_reset(s);
}
