/* The before-queue filter as destination.
 *
 * As a rule content goes to it as it comes. It is collected first where the answer to the end of
 * data is not the filter's alone: with smtpd_proxy_options=speed_adjust, which speaks to it only
 * then, and with rules for that stage or milters, which may change the message or put it on hold. A
 * message on hold goes to the queue instead, and through the filter when it is released. */
#include "smtpd/destination.h"

#include "log/event.h"
#include "log/log.h"
#include "smtpd/milters.h"
#include "smtpd/proxy.h"
#include "smtpd/proxy_judge.h"
#include "smtpd/restrict.h"
#include "smtpwire/spool.h"

#define TROUBLE "451 4.3.0 Error: queue file write error"

struct to_proxy {
	struct session *s;
	struct spool *spool;		/* NULL: content goes straight to the filter */
	struct milter_message *content; /* collected, and changed by milters; or NULL */
};

static bool collects(const struct session *s)
{
	return proxy_late() || restrict_asks_at_end() || milters_want_message(s);
}

/* What stands before the client's content. */
static void put_head(struct session *s)
{
	struct buf head = {0};

	content_head(s, &head);
	proxy_put(s->tx.proxy, buf_view(&head));
	buf_free(&head);
}

static void *begin(struct session *s)
{
	struct to_proxy *to = arena_zero(&s->tx.arena, sizeof(*to));

	to->s = s;
	if (collects(s)) {
		to->spool = spool_new("incoming");
	} else if (proxy_data(s->tx.proxy) < 0) {
		session_reply_text(s, proxy_refusal(s->tx.proxy));
		return NULL;
	} else {
		put_head(s);
	}
	return to;
}

static void put(void *arg, str wire)
{
	struct to_proxy *to = arg;

	if (to->spool)
		spool_put(to->spool, wire);
	else
		proxy_put(to->s->tx.proxy, wire);
}

static void log_verdict(struct session *s, const char *verb, str reply)
{
	struct buf text = {0}, sender = {0};

	buf_str(&text, reply);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			text.p[i] = ' ';
	buf_str(&sender, s->tx.sasl_sender);
	log_smtpd_proxy(verb, s->stage, buf_text(&text), s->tx.sender, s->tx.rcpts[0].address,
	    s->protocol, s->helo, s->sasl_method, s->sasl_username, buf_text(&sender));
	buf_free(&sender);
	buf_free(&text);
}

static void refuse(struct session *s, str reply)
{
	log_verdict(s, "reject", reply);
	session_reply_text(s, reply);
}

static void take(struct session *s, str reply)
{
	log_verdict(s, "accept", reply);
	s->errors = s->junk = 0;
	session_reply_text(s, reply);
}

/* --- collected messages */

/* Everything up to DATA, where that has waited for the end. */
static int open_late(struct session *s)
{
	struct transaction *tx = &s->tx;

	if (!tx->proxy)
		tx->proxy = proxy_open(s, tx->mail_args);
	else
		return 0;
	if (proxy_failed(tx->proxy))
		return -1;
	for (size_t i = 0; i < tx->nrcpts; i++)
		if (proxy_rcpt(tx->proxy, tx->rcpt_args[i]) < 0)
			return -1;
	return 0;
}

static int put_piece(void *arg, str piece)
{
	proxy_put(arg, piece);
	return 0;
}

/* 0, or -1: the filter has the end of what is no whole message, and its connection is closed. */
static int send_content(struct session *s, struct to_proxy *to)
{
	struct err err;
	str memory;
	int file;

	if (to->content) {
		if (milter_message_write(to->content, put_piece, s->tx.proxy, &err) == 0)
			return 0;
		log_warn("%s", err.text);
		return -1;
	}
	put_head(s);
	file = spool_place(to->spool, &memory);
	if (file >= 0)
		proxy_put_file(s->tx.proxy, file, spool_size(to->spool));
	else
		proxy_put(s->tx.proxy, memory);
	return 0;
}

/* False: the client has its answer. */
static bool send_collected(struct session *s, struct to_proxy *to)
{
	if (open_late(s) < 0 || proxy_data(s->tx.proxy) < 0) {
		refuse(s, proxy_refusal(s->tx.proxy));
		return false;
	}
	if (send_content(s, to) < 0) {
		refuse(s, STR(TROUBLE));
		return false;
	}
	return true;
}

struct diversion {
	const struct destination *dest;
	void *to;
};

static int divert_piece(void *arg, str piece)
{
	struct diversion *d = arg;

	d->dest->put(d->to, piece);
	return 0;
}

/* A message that the last rules or milters put on hold (or discard) does not go to the filter. */
static void divert(struct session *s, struct to_proxy *to, const struct destination *dest)
{
	struct diversion d = {.dest = dest};
	struct err err;
	int status;

	transaction_to_queue(s);
	s->tx.has_head = to->content != NULL;
	d.to = dest->begin(s);
	status = to->content ? milter_message_write(to->content, divert_piece, &d, &err)
			     : spool_read(to->spool, divert_piece, &d, &err);
	if (status == 0) {
		dest->commit(s, d.to);
		return;
	}
	log_warn("%s: %s", s->tx.queue_id, err.text);
	dest->abort(d.to);
	session_reply(s, TROUBLE);
}

/* False: the client has its answer. */
static bool divert_stopped(struct session *s, struct to_proxy *to)
{
	if (s->tx.act.discard)
		divert(s, to, &dest_nowhere);
	else if (s->tx.act.hold)
		divert(s, to, &dest_cleanup);
	else
		return true;
	return false;
}

static bool judge(struct session *s, struct to_proxy *to)
{
	if (!milters_want_message(s))
		return true;
	if (!proxy_judge(s, to->spool, &to->content)) {
		session_reply_text(s, buf_view(&s->verdict));
		return false;
	}
	return divert_stopped(s, to);
}

static bool flush_spool(struct session *s, struct to_proxy *to)
{
	struct err err;

	if (spool_end(to->spool, &err) == 0)
		return divert_stopped(s, to) && judge(s, to) && send_collected(s, to);
	log_warn("%s", err.text);
	session_reply(s, TROUBLE);
	return false;
}

static void end(struct to_proxy *to)
{
	milter_message_free(to->content);
	spool_free(to->spool);
}

static void commit(struct session *s, void *arg)
{
	struct to_proxy *to = arg;

	if (!to->spool || flush_spool(s, to)) {
		if (proxy_end(s->tx.proxy) < 0)
			refuse(s, proxy_refusal(s->tx.proxy));
		else
			take(s, proxy_reply(s->tx.proxy));
	}
	end(to);
}

static void give_up(void *arg)
{
	end(arg);
}

const struct destination dest_proxy = {begin, put, commit, give_up, NULL, NULL};
