#include "smtpd/content.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/received.h"
#include "smtpd/restrict.h"
#include "smtpwire/wire.h"

#include <stdio.h>

struct content {
	struct cleanup *cleanup; /* NULL: the message is discarded or was refused early */
	const char *refusal;     /* reply for the end of data; NULL: none */
	uint64_t received;       /* bytes from the client */
	uint64_t size;
	struct wire_stuff stuff; /* BDAT */
};

/* Who the client was, for log lines, milters, XFORWARD and pipe macros further on. */
static void put_attributes(struct session *s, struct cleanup *c)
{
	const struct client *cl = &s->client;

	cleanup_attr(c, "rewrite_context", str_of(restrict_local_client(s) ? "local" : "remote"));
	cleanup_attr(c, "log_client_name", str_of(cl->name));
	cleanup_attr(c, "log_client_address", str_of(cl->addr));
	cleanup_attr(c, "log_client_port", str_of(cl->port));
	cleanup_attr(c, "log_message_origin", str_of(cl->namaddr));
	if (s->helo)
		cleanup_attr(c, "log_helo_name", str_of(s->helo));
	cleanup_attr(c, "log_protocol_name", str_of(s->protocol));
	cleanup_attr(c, "client_name", str_of(cl->name));
	cleanup_attr(c, "reverse_client_name", str_of(cl->reverse_name));
	cleanup_attr(c, "client_address", str_of(cl->addr));
	cleanup_attr(c, "client_port", str_of(cl->port));
	if (s->helo)
		cleanup_attr(c, "helo_name", str_of(s->helo));
	cleanup_attr(c, "protocol_name", str_of(s->protocol));
	cleanup_attr(c, "server_address", str_of(s->server_addr));
	cleanup_attr(c, "server_port", str_of(s->server_port));
}

static void put_action(struct cleanup *c, const char *action, str value)
{
	struct ipc_cleanup_env m = {.action = str_of(action), .value = value};

	cleanup_put(c, MSG_CLEANUP_ENV, &m);
}

static void put_envelope(struct session *s, struct cleanup *c)
{
	struct transaction *tx = &s->tx;

	cleanup_put(c, MSG_ENV_SENDER, &tx->env);
	put_attributes(s, c);
	if (tx->act.filter.n)
		put_action(c, "filter", tx->act.filter);
	if (tx->act.redirect.n)
		put_action(c, "redirect", tx->act.redirect);
	for (size_t i = 0; i < tx->act.nbcc; i++)
		put_action(c, "bcc", tx->act.bcc[i]);
	for (size_t i = 0; i < tx->nrcpts; i++)
		cleanup_put(c, MSG_ENV_RCPT, &tx->rcpts[i].env);
}

/* receive_override_options takes away from what cleanup does by default. */
static uint32_t cleanup_flags(struct session *s)
{
	uint32_t flags = CLEANUP_MASK_EXTERNAL & ~restrict_override_mask();

	if (s->tx.act.hold)
		flags |= CLEANUP_FLAG_HOLD;
	if (s->tx.env.flags & SENDER_SMTPUTF8)
		flags |= CLEANUP_FLAG_SMTPUTF8;
	if (restrict_local_client(s))
		flags |= CLEANUP_FLAG_LOCAL_HEADERS;
	return flags;
}

static const char *cleanup_socket(struct session *s)
{
	return arena_printf(&s->tx.arena, "public/%s", conf.cleanup_service_name);
}

void content_begin(struct session *s)
{
	struct content *c = arena_zero(&s->tx.arena, sizeof(*c));
	struct buf header = {0};

	s->content = c;
	if (s->tx.act.discard)
		return;
	c->cleanup = cleanup_open(cleanup_socket(s), str_of(s->tx.queue_id), s->tx.arrival_us,
	    cleanup_flags(s));
	put_envelope(s, c->cleanup);
	for (size_t i = 0; i < s->tx.act.nprepend; i++) {
		buf_str(&header, s->tx.act.prepend[i]);
		buf_cstr(&header, "\r\n");
	}
	received_header(s, &header);
	cleanup_content(c->cleanup, buf_view(&header));
	buf_free(&header);
}

void content_put(struct session *s, str wire)
{
	struct content *c = s->content;

	if (c->refusal && c->cleanup) {
		cleanup_abort(c->cleanup);
		c->cleanup = NULL;
	}
	if (c->cleanup)
		cleanup_content(c->cleanup, wire);
}

void content_count(struct session *s, uint64_t received, uint64_t size)
{
	struct content *c = s->content;

	c->received = received;
	c->size = s->tx.size = size;
	if (conf.message_size_limit > 0 && size > (uint64_t)conf.message_size_limit && !c->refusal) {
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
	return s->content->refusal;
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
		s->ending = true;
	} else if (strcasecmp(conf.smtpd_forbid_bare_newline, "note") == 0) {
		log_info("%s: disconnect: END-OF-MESSAGE from %s: bare <LF> received", s->tx.queue_id,
		    s->client.namaddr);
	}
}

void content_unstuffed(struct session *s, str raw, struct buf *out)
{
	struct content *c = s->content;

	wire_stuff_feed(&c->stuff, raw, out);
	content_count(s, c->received + raw.n, c->stuff.size);
}

void content_unstuffed_end(struct session *s, struct buf *out)
{
	wire_stuff_end(&s->content->stuff, out);
	content_newlines(s, s->content->stuff.bare_lf);
}

bool content_refused(const struct session *s)
{
	return s->content && s->content->refusal;
}

void content_abort(struct session *s)
{
	if (s->content->cleanup)
		cleanup_abort(s->content->cleanup);
	s->content = NULL;
}

/* Replies to the end of data by cleanup's verdict. */
static const char *const verdict_text[] = {
    [CLEANUP_BAD] = "451 4.3.0 Error: internal error",
    [CLEANUP_WRITE] = "451 4.3.0 Error: queue file write error",
    [CLEANUP_SPACE] = "452 4.3.1 Insufficient system storage",
    [CLEANUP_SIZE] = "552 5.3.4 Error: message file too big",
    [CLEANUP_CONTENT] = "550 5.7.1 Error: message content rejected",
    [CLEANUP_HOPS] = "554 5.4.0 Error: too many hops",
    [CLEANUP_NO_RCPT] = "550 5.1.1 Error: no recipients specified",
    [CLEANUP_DEFER] = "451 4.7.1 Error: try again later",
    [CLEANUP_EXPANSION] = "451 4.6.0 Alias expansion error",
    [CLEANUP_PROXY] = "451 4.3.0 Error: queue file write error",
};

static void reply_verdict(struct session *s, enum cleanup_status status, const struct buf *text)
{
	str why = buf_view(text);

	if (why.n == 0)
		session_reply(s, "%s", verdict_text[status]);
	else if (str_to_u64(str_head(why, 3), &(uint64_t){0}) && why.n > 3 && why.p[3] == ' ')
		session_reply_text(s, why); /* a whole reply */
	else
		session_reply(s, "%.3s %s", why.p[0] == '4' ? "451" : verdict_text[status], why.p);
}

static void reply_queued(struct session *s)
{
	s->errors = 0;
	if (s->bdat == BDAT_OK)
		session_reply(s, "250 2.0.0 Ok: %llu bytes queued as %s",
		    (unsigned long long)s->content->received, s->tx.queue_id);
	else
		session_reply(s, "250 2.0.0 Ok: queued as %s", s->tx.queue_id);
}

void content_end(struct session *s)
{
	struct content *c = s->content;
	struct buf text = {0};
	enum cleanup_status status;

	if (!c->refusal && !restrict_end_of_data(s)) {
		if (c->cleanup)
			cleanup_abort(c->cleanup);
		c->cleanup = NULL;
		session_reply_text(s, buf_view(&s->verdict));
	} else if (c->refusal) {
		session_reply(s, "%s", c->refusal);
	} else if (!c->cleanup) {
		reply_queued(s); /* DISCARD */
	} else {
		status = cleanup_commit(c->cleanup, &text);
		c->cleanup = NULL;
		if (status == CLEANUP_OK)
			reply_queued(s);
		else
			reply_verdict(s, status, &text);
	}
	if (c->cleanup)
		cleanup_abort(c->cleanup);
	c->cleanup = NULL;
	buf_free(&text);
	transaction_reset(s);
}
