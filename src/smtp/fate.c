/* Replies and failures as delivery records. */
#include "smtp/smtp.h"

#include "log/event.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>

/* A soft fate that is given when no host is left. */
struct noted {
	struct trouble t;
	int uses;
	bool logged;
};

bool fate_pending(const struct delivery *d)
{
	for (size_t i = 0; i < d->nrcpts; i++)
		if (!d->rcpts[i].done)
			return true;
	return false;
}

void trouble_lost(struct delivery *d, const struct conn *c, int error, struct trouble *t)
{
	const char *how =
	    error == ETIMEDOUT
		? arena_printf(&d->arena, "conversation with %s timed out", c->namaddr)
		: arena_printf(&d->arena, "lost connection with %s", c->namaddr);

	*t = (struct trouble){
	    .dsn = "4.4.2",
	    .text = arena_printf(&d->arena, "%s while %s", how, c->phase),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
}

void trouble_reply(struct delivery *d, const struct conn *c, const char *command, struct trouble *t)
{
	struct buf text = {0}, diag = {0};
	char dsn[16];

	reply_joined(&c->reply, &diag);
	buf_printf(&text, "host %s said: %s (in reply to %s command)", c->namaddr, buf_text(&diag),
	    command);
	*t = (struct trouble){
	    .permanent = c->reply.code / 100 == 5,
	    .dsn = arena_cstr(&d->arena, str_of(reply_dsn(&c->reply, dsn))),
	    .text = arena_cstr(&d->arena, buf_view(&text)),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .diag = arena_cstr(&d->arena, buf_view(&diag)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
	buf_free(&text);
	buf_free(&diag);
}

static void give(struct delivery *d, struct delivery_rcpt *r, const struct trouble *t, int uses)
{
	struct fate f = {
	    .kind = t->permanent ? RCPT_BOUNCED : RCPT_DEFERRED,
	    .dsn = t->dsn,
	    .mta_type = t->mta_name ? "dns" : NULL,
	    .mta_name = t->mta_name,
	    .diag_type = t->diag ? "smtp" : NULL,
	    .diag = t->diag,
	    .relay = t->relay ? t->relay : "none",
	    .conn_use = uses,
	    .reason = t->text,
	};

	delivery_fate(d, r, &f);
}

void fate_trouble(
    struct delivery *d, struct delivery_rcpt *r, const struct trouble *t, const struct conn *c)
{
	struct noted *n;

	if (t->permanent) {
		give(d, r, t, c ? c->uses : 0);
		return;
	}
	n = arena_zero(&d->arena, sizeof(*n));
	n->t = *t;
	n->uses = c ? c->uses : 0;
	r->aux = n;
}

void fate_log_noted(struct delivery *d)
{
	for (size_t i = 0; i < d->nrcpts; i++) {
		struct noted *n = d->rcpts[i].aux;
		char id[QUEUE_ID_MAX];
		if (d->rcpts[i].done || !n || n->logged || !n->t.diag)
			continue;
		n->logged = true;
		snprintf(id, sizeof(id), "%.*s", STR_FMT(d->m.queue_id));
		log_smtp_server(id, n->t.text);
	}
}

void fate_settle(struct delivery *d, const struct trouble *t)
{
	for (size_t i = 0; i < d->nrcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];
		struct noted *n = r->aux;
		if (r->done)
			continue;
		if (n)
			give(d, r, &n->t, n->uses);
		else
			give(d, r, t, 0);
	}
}

/* RFC 3461 5.2.2: a next hop without DSN makes us say "relayed". */
void fate_sent(struct delivery *d, struct delivery_rcpt *r, const struct conn *c, const char *text)
{
	bool remote_tells = (c->caps.mask & EHLO_DSN) && !smtp_is_lmtp();
	char dsn[16];
	struct fate f = {
	    .kind = RCPT_SENT,
	    .dsn = reply_dsn(&c->reply, dsn),
	    .action = smtp_is_lmtp() ? "delivered"
		      : remote_tells ? ACTION_PASSED_ON
				     : "relayed",
	    .mta_type = "dns",
	    .mta_name = c->name,
	    .diag_type = "smtp",
	    .diag = text,
	    .relay = c->relay,
	    .conn_use = c->uses,
	    .reason = text,
	};

	delivery_fate(d, r, &f);
}
