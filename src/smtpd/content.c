#include "smtpd/content.h"

#include "ipc/drop.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/received.h"
#include "smtpd/restrict.h"
#include "smtpd/standalone.h"
#include "smtpwire/wire.h"

#include <stdio.h>

struct content {
	struct cleanup *cleanup; /* both NULL: the message is discarded or was refused early */
	struct drop *drop;	 /* stand-alone mode */
	const char *refusal;	 /* reply for the end of data; NULL: none */
	uint64_t received;	 /* bytes from the client */
	struct wire_stuff stuff; /* BDAT */
};

/* --- envelope */

static bool is_local(struct session *s)
{
	if (s->forwarded && s->forwarded->source)
		return strcasecmp(s->forwarded->source, "LOCAL") == 0;
	return restrict_local_client(s);
}

static void attr(struct cleanup *c, const char *name, const char *value)
{
	if (value)
		cleanup_attr(c, name, str_of(value));
}

/* Who sent it, for log lines and XFORWARD further on: the client, or whom it speaks for. What
 * XFORWARD did not tell is empty. */
static void put_origin(struct session *s, struct cleanup *c)
{
	const struct forwarded *f = s->forwarded;
	const struct client *cl = &s->client;
	struct buf origin = {0};

	if (f) {
		buf_printf(&origin, "%s[%s]", f->name ? f->name : "unknown",
		    f->addr ? f->addr : "unknown");
		attr(c, "log_client_name", f->name ? f->name : "");
		attr(c, "log_client_address", f->addr ? f->addr : "");
		attr(c, "log_client_port", f->port ? f->port : "");
		attr(c, "log_helo_name", f->helo ? f->helo : "");
		attr(c, "log_protocol_name", f->proto ? f->proto : "");
		attr(c, "log_ident", f->ident ? f->ident : "");
	} else {
		buf_cstr(&origin, cl->namaddr);
		attr(c, "log_client_name", cl->name);
		attr(c, "log_client_address", cl->addr);
		attr(c, "log_client_port", cl->port);
		attr(c, "log_helo_name", s->helo);
		attr(c, "log_protocol_name", s->protocol);
		attr(c, "log_ident", s->tx.queue_id);
	}
	attr(c, "log_message_origin", buf_text(&origin));
	buf_free(&origin);
}

/* Who the client was, for log lines, milters, XFORWARD and pipe macros further on. */
static void put_attributes(struct session *s, struct cleanup *c)
{
	const struct client *cl = &s->client;

	attr(c, "rewrite_context", is_local(s) ? "local" : "remote");
	put_origin(s, c);
	attr(c, "client_name", cl->name);
	attr(c, "reverse_client_name", cl->reverse_name);
	attr(c, "client_address", cl->addr);
	attr(c, "client_port", cl->port);
	attr(c, "helo_name", s->helo);
	attr(c, "protocol_name", s->protocol);
	attr(c, "server_address", s->server_addr);
	attr(c, "server_port", s->server_port);
	attr(c, "sasl_method", s->sasl_method);
	attr(c, "sasl_username", s->sasl_username);
	if (s->tx.sasl_sender.n)
		cleanup_attr(c, "sasl_sender", s->tx.sasl_sender);
}

static void put_action(struct cleanup *c, const char *action, str value)
{
	struct ipc_cleanup_env m = {.action = str_of(action), .value = value};

	if (value.n)
		cleanup_put(c, MSG_CLEANUP_ENV, &m);
}

static void put_envelope(struct session *s, struct cleanup *c)
{
	struct transaction *tx = &s->tx;

	cleanup_put(c, MSG_ENV_SENDER, &tx->env);
	put_attributes(s, c);
	put_action(c, "filter", tx->act.filter.n ? tx->act.filter : str_of(conf.content_filter));
	put_action(c, "redirect", tx->act.redirect);
	put_action(c, "bcc", tx->act.bcc);
	for (size_t i = 0; i < tx->nrcpts; i++)
		cleanup_put(c, MSG_ENV_RCPT, &tx->rcpts[i]);
}

/* receive_override_options takes away from what cleanup does by default. */
static uint32_t cleanup_flags(struct session *s)
{
	uint32_t flags =
	    (CLEANUP_MASK_EXTERNAL & ~restrict_override_mask()) | cleanup_autodetect("smtpd");

	if (s->tx.act.hold)
		flags |= CLEANUP_FLAG_HOLD;
	if (is_local(s))
		flags |= CLEANUP_FLAG_LOCAL_HEADERS;
	return flags;
}

/* --- where it goes */

static void open_cleanup(struct session *s, struct content *c)
{
	const char *socket = arena_printf(&s->tx.arena, "public/%s", conf.cleanup_service_name);

	c->cleanup =
	    cleanup_open(socket, str_of(s->tx.queue_id), s->tx.arrival_us, cleanup_flags(s));
	put_envelope(s, c->cleanup);
}

static void open_drop(struct session *s, struct content *c)
{
	c->drop = drop_open();
	drop_put(c->drop, MSG_ENV_SENDER, &s->tx.env);
	for (size_t i = 0; i < s->tx.nrcpts; i++)
		drop_put(c->drop, MSG_ENV_RCPT, &s->tx.rcpts[i]);
}

static void give(struct content *c, str wire)
{
	if (c->cleanup)
		cleanup_content(c->cleanup, wire);
	else if (c->drop)
		drop_content(c->drop, wire);
}

static void give_up(struct content *c)
{
	if (c->cleanup)
		cleanup_abort(c->cleanup);
	if (c->drop)
		drop_abort(c->drop);
	c->cleanup = NULL;
	c->drop = NULL;
}

void content_begin(struct session *s)
{
	struct content *c = arena_zero(&s->tx.arena, sizeof(*c));
	struct buf header = {0};

	s->content = c;
	c->stuff.lead.on = true;
	if (s->tx.act.discard)
		return;
	if (standalone_drops())
		open_drop(s, c);
	else
		open_cleanup(s, c);
	for (size_t i = 0; i < s->tx.act.nprepend; i++) {
		buf_str(&header, s->tx.act.prepend[i]);
		buf_cstr(&header, "\r\n");
	}
	received_header(s, &header);
	give(c, buf_view(&header));
	buf_free(&header);
}

void content_put(struct session *s, str wire)
{
	struct content *c = s->content;

	if (c->refusal)
		give_up(c);
	give(c, wire);
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
		    s->tx.queue_id, s->client.namaddr);
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
	if (out->n > 0)
		s->content->received += 2; /* the line end that was missing */
	content_newlines(s, s->content->stuff.bare_lf);
}

void content_abort(struct session *s)
{
	give_up(s->content);
	s->content = NULL;
}

/* --- the end */

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
	uint64_t code;

	if ((size_t)status >= ARRAY_SIZE(verdict_text) || !verdict_text[status])
		status = CLEANUP_BAD;
	if (why.n == 0)
		session_reply(s, "%s", verdict_text[status]);
	else if (why.n > 3 && why.p[3] == ' ' && str_to_u64(str_head(why, 3), &code))
		session_reply_text(s, why); /* a whole reply */
	else
		session_reply(
		    s, "%.3s %.*s", why.p[0] == '4' ? "451" : verdict_text[status], STR_FMT(why));
}

static void reply_queued(struct session *s, str id)
{
	s->errors = s->junk = 0;
	if (s->bdat == BDAT_OK)
		session_reply(s, "250 2.0.0 Ok: %llu bytes queued as %.*s",
		    (unsigned long long)s->content->received, STR_FMT(id));
	else
		session_reply(s, "250 2.0.0 Ok: queued as %.*s", STR_FMT(id));
}

static void commit_drop(struct session *s, struct content *c)
{
	struct buf id = {0}, text = {0};
	int status = drop_commit(c->drop, &id, &text);

	c->drop = NULL;
	if (status == 0) {
		reply_queued(s, buf_view(&id));
	} else {
		log_warn(
		    "postdrop: exit status %d%s%s", status, text.n ? ": " : "", buf_text(&text));
		session_reply(s, "%s", verdict_text[CLEANUP_WRITE]);
	}
	buf_free(&id);
	buf_free(&text);
}

static void commit_cleanup(struct session *s, struct content *c)
{
	struct buf text = {0};
	enum cleanup_status status = cleanup_commit(c->cleanup, &text);

	c->cleanup = NULL;
	if (status == CLEANUP_OK)
		reply_queued(s, str_of(s->tx.queue_id));
	else
		reply_verdict(s, status, &text);
	buf_free(&text);
}

void content_end(struct session *s)
{
	struct content *c = s->content;

	s->stage = "END-OF-MESSAGE";
	if (c->refusal) {
		session_reply(s, "%s", c->refusal);
	} else if (!restrict_end_of_data(s)) {
		session_reply_text(s, buf_view(&s->verdict));
	} else if (c->drop) {
		commit_drop(s, c);
	} else if (c->cleanup) {
		commit_cleanup(s, c);
	} else {
		reply_queued(s, str_of(s->tx.queue_id)); /* DISCARD */
	}
	give_up(c);
	transaction_reset(s);
	forwarded_reset(s);
}
