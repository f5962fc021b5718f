/* The usual destination: the queue, through cleanup. */
#include "smtpd/destination.h"

#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/proxy.h"
#include "smtpd/restrict.h"

bool content_is_local(struct session *s)
{
	if (s->forwarded && s->forwarded->source)
		return strcasecmp(s->forwarded->source, "LOCAL") == 0;
	if (s->locality == LOCALITY_UNKNOWN)
		s->locality = restrict_local_client(s) ? LOCALITY_LOCAL : LOCALITY_REMOTE;
	return s->locality == LOCALITY_LOCAL;
}

static void attr(struct cleanup *c, const char *name, const char *value)
{
	if (value)
		cleanup_attr(c, name, str_of(value));
}

/* Who sent it, for log lines and XFORWARD further on: the client, or whom it speaks for. What
 * an XFORWARD about the client did not tell is empty. */
static void put_origin(struct session *s, struct cleanup *c)
{
	const struct forwarded *f = s->forwarded;
	const struct client *cl = &s->client;
	struct buf origin = {0};

	if (f && f->client) {
		buf_printf(&origin, "%s[%s]", f->name ? f->name : "unknown",
		    f->addr ? f->addr : "unknown");
		attr(c, "log_client_name", f->name ? f->name : "");
		attr(c, "log_client_address", f->addr ? f->addr : "");
		attr(c, "log_client_port", f->port ? f->port : "");
		attr(c, "log_helo_name", f->helo ? f->helo : "");
		attr(c, "log_protocol_name", f->proto ? f->proto : "");
	} else {
		buf_cstr(&origin, cl->namaddr);
		attr(c, "log_client_name", cl->name);
		attr(c, "log_client_address", cl->addr);
		attr(c, "log_client_port", cl->port);
		attr(c, "log_helo_name", s->helo);
		attr(c, "log_protocol_name", s->protocol);
	}
	attr(c, "log_ident", f && f->ident ? f->ident : s->tx.queue_id);
	attr(c, "log_message_origin", buf_text(&origin));
	buf_free(&origin);
}

/* Who the client was, for log lines, milters, XFORWARD and pipe macros further on. */
static void put_attributes(struct session *s, struct cleanup *c)
{
	const struct client *cl = &s->client;

	attr(c, "rewrite_context", content_is_local(s) ? "local" : "remote");
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

/* What is on hold that was meant for the before-queue filter goes through it when it is released.
 */
static str filter_of(struct session *s)
{
	if (proxy_configured())
		return proxy_as_filter(&s->tx.arena);
	return s->tx.act.filter.n ? s->tx.act.filter : str_of(conf.content_filter);
}

static void put_envelope(struct session *s, struct cleanup *c)
{
	struct transaction *tx = &s->tx;

	cleanup_put(c, MSG_ENV_SENDER, &tx->env);
	put_attributes(s, c);
	put_action(c, "filter", filter_of(s));
	put_action(c, "redirect", tx->act.redirect);
	for (size_t i = 0; i < tx->act.nbcc; i++)
		put_action(c, "bcc", tx->act.bcc[i]);
	for (size_t i = 0; i < tx->nrcpts; i++)
		cleanup_put(c, MSG_ENV_RCPT, &tx->rcpts[i]);
}

/* receive_override_options takes away from what cleanup does by default. What comes back from the
 * before-queue filter is mapped and checked then. */
static uint32_t cleanup_flags(struct session *s)
{
	uint32_t flags = CLEANUP_MASK_EXTERNAL & ~(restrict_override_mask() | CLEANUP_FLAG_MILTER);

	flags |= cleanup_autodetect("smtpd");
	if (proxy_configured())
		flags &= ~(uint32_t)(CLEANUP_FLAG_MAP | CLEANUP_FLAG_BCC | CLEANUP_FLAG_FILTER);
	if (s->tx.act.hold)
		flags |= CLEANUP_FLAG_HOLD;
	if (content_is_local(s))
		flags |= CLEANUP_FLAG_LOCAL_HEADERS;
	return flags;
}

struct to_cleanup {
	struct cleanup *cleanup;
	struct message_actions told; /* what cleanup knows of the actions */
};

static void *begin(struct session *s)
{
	const char *socket = arena_printf(&s->tx.arena, "public/%s", conf.cleanup_service_name);
	struct to_cleanup *to = arena_zero(&s->tx.arena, sizeof(*to));
	struct buf head = {0};

	to->cleanup =
	    cleanup_open(socket, str_of(s->tx.queue_id), s->tx.arrival_us, cleanup_flags(s));
	to->told = s->tx.act;
	put_envelope(s, to->cleanup);
	content_head(s, &head);
	cleanup_content(to->cleanup, buf_view(&head));
	buf_free(&head);
	return to;
}

static void put(void *arg, str wire)
{
	struct to_cleanup *to = arg;

	cleanup_content(to->cleanup, wire);
}

static struct buf *room(void *arg)
{
	struct to_cleanup *to = arg;

	return cleanup_content_room(to->cleanup);
}

static void added(void *arg)
{
	struct to_cleanup *to = arg;

	cleanup_content_added(to->cleanup);
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

/* What was decided while the content came: END-OF-MESSAGE rules. */
static void put_late_actions(struct session *s, struct to_cleanup *to)
{
	const struct message_actions *now = &s->tx.act, *told = &to->told;
	struct ipc_cleanup_env hold = {.action = STR("hold"), .value = STR("")};
	struct ipc_cleanup_env discard = {.action = STR("discard"), .value = STR("")};

	if (now->hold && !told->hold)
		cleanup_put(to->cleanup, MSG_CLEANUP_ENV, &hold);
	if (now->discard && !told->discard)
		cleanup_put(to->cleanup, MSG_CLEANUP_ENV, &discard);
	if (now->filter.p != told->filter.p)
		put_action(to->cleanup, "filter", now->filter);
	if (now->redirect.p != told->redirect.p)
		put_action(to->cleanup, "redirect", now->redirect);
	for (size_t i = told->nbcc; i < now->nbcc; i++)
		put_action(to->cleanup, "bcc", now->bcc[i]);
}

static void commit(struct session *s, void *arg)
{
	struct to_cleanup *to = arg;
	struct milters_away *away;
	enum cleanup_status status;
	struct buf text = {0};

	put_late_actions(s, to);
	away = milters_hand_over(s, to->cleanup);
	status = cleanup_commit(to->cleanup, &text);
	milters_take_back(s, away);
	if (status == CLEANUP_OK)
		content_queued(s, str_of(s->tx.queue_id));
	else
		reply_verdict(s, status, &text);
	buf_free(&text);
}

static void give_up(void *arg)
{
	struct to_cleanup *to = arg;

	cleanup_abort(to->cleanup);
}

const struct destination dest_cleanup = {begin, put, commit, give_up, room, added};
