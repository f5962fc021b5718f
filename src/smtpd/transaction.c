/* The mail transaction's beginning, end and memory. */
#include "log/event.h"
#include "param/param.h"
#include "smtpd/content.h"
#include "smtpd/milters.h"
#include "smtpd/proxy.h"
#include "smtpd/session.h"
#include "smtpd/standalone.h"

#include <stdlib.h>

/* What was said to the client is on its way before the filter takes its time to say goodbye. */
static void leave_proxy(struct session *s)
{
	if (!s->tx.proxy)
		return;
	session_flush(s);
	proxy_close(s->tx.proxy);
	s->tx.proxy = NULL;
}

void transaction_reset(struct session *s)
{
	struct arena arena;

	if (s->content)
		content_abort(s);
	milters_abort(s);
	leave_proxy(s);
	policy_release(&s->tx.policy);
	arena = s->tx.arena;
	arena_free(&arena);
	memset(&s->tx, 0, sizeof(s->tx));
	s->bdat = BDAT_NONE;
}

/* "up.client.test[192.0.2.7]" of XFORWARD; empty when it told neither. */
static void upstream(const struct forwarded *f, struct buf *out)
{
	if (f->client)
		buf_cstr(out, f->name ? f->name : "unknown");
	if (f->addr)
		buf_printf(out, "[%s]", f->addr);
	if (f->addr && conf.smtpd_client_port_logging)
		buf_printf(out, ":%s", f->port ? f->port : "unknown");
}

static void log_client(struct session *s)
{
	const struct forwarded *f = s->forwarded;
	struct buf up = {0}, sender = {0};

	if (f)
		upstream(f, &up);
	buf_str(&sender, s->tx.sasl_sender);
	log_smtpd_client(s->tx.queue_id, s->client.namaddr, s->sasl_method, s->sasl_username,
	    sender.n ? buf_text(&sender) : NULL, f ? f->ident : NULL, up.n ? buf_text(&up) : NULL);
	buf_free(&up);
	buf_free(&sender);
}

/* The filter hears MAIL; what it says of it is the client's reply. */
static bool open_proxy(struct session *s)
{
	struct proxy *p = proxy_open(s, s->tx.mail_args);

	if (!proxy_failed(p)) {
		s->tx.proxy = p;
		return true;
	}
	session_reply_text(s, proxy_refusal(p));
	session_flush(s);
	proxy_close(p);
	return false;
}

bool transaction_open(struct session *s)
{
	bool stays = s->tx.act.hold || s->tx.act.discard;

	if (s->tx.opened || standalone_drops())
		return true;
	s->tx.proxied = proxy_configured() && !stays;
	if (s->tx.proxied && !proxy_late() && !open_proxy(s))
		return false;
	if (!s->tx.proxied)
		queue_id_new(s->tx.queue_id);
	s->tx.opened = true;
	log_client(s);
	return true;
}

void transaction_to_queue(struct session *s)
{
	leave_proxy(s);
	s->tx.proxied = false;
	queue_id_new(s->tx.queue_id);
	log_client(s);
}

static void grow_args(struct transaction *tx, size_t cap)
{
	str *more = arena_alloc(&tx->arena, cap * sizeof(*more));

	if (tx->nrcpts)
		memcpy(more, tx->rcpt_args, tx->nrcpts * sizeof(*more));
	tx->rcpt_args = more;
}

void transaction_add_rcpt(struct session *s, struct ipc_env_rcpt env, str args)
{
	struct transaction *tx = &s->tx;

	env.address = env.orig_address = arena_str(&tx->arena, env.address);
	if (env.orcpt.n)
		env.orcpt = arena_str(&tx->arena, env.orcpt);

	if (tx->nrcpts == tx->rcpts_cap) {
		size_t cap = tx->rcpts_cap ? tx->rcpts_cap * 2 : 4;
		struct ipc_env_rcpt *more = arena_alloc(&tx->arena, cap * sizeof(*more));
		if (tx->nrcpts)
			memcpy(more, tx->rcpts, tx->nrcpts * sizeof(*more));
		tx->rcpts = more;
		if (tx->proxied)
			grow_args(tx, cap);
		tx->rcpts_cap = cap;
	}
	if (tx->proxied)
		tx->rcpt_args[tx->nrcpts] = arena_str(&tx->arena, args);
	tx->rcpts[tx->nrcpts++] = env;
}

void forwarded_reset(struct session *s)
{
	struct forwarded *f = s->forwarded;

	if (!f)
		return;
	free(f->name);
	free(f->addr);
	free(f->port);
	free(f->proto);
	free(f->helo);
	free(f->ident);
	free(f->source);
	free(f);
	s->forwarded = NULL;
}
