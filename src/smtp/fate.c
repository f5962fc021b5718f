/* Replies and failures as delivery records. */
#include "smtp/smtp.h"

#include "log/event.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>

/* What the last host said of a recipient: its fate, unless another host does better. Recipients may
 * share one. */
struct note {
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

bool fate_is_open(const struct delivery_rcpt *r)
{
	return !r->done && !r->aux;
}

void trouble_lost(struct delivery *d, const struct conn *c, struct trouble *t)
{
	*t = (struct trouble){
	    .dsn = "4.4.2",
	    .text = arena_printf(&d->arena,
		c->error == ETIMEDOUT ? "conversation with %s timed out while %s"
				      : "lost connection with %s while %s",
		c->namaddr, c->phase),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
}

/* What is neither success nor "later" is a refusal; a reply of no known class too. */
void trouble_reply(struct delivery *d, struct conn *c, const char *command, struct trouble *t)
{
	struct buf diag = {0};
	char dsn[16];

	reply_joined(&c->reply, &diag);
	reply_dsn(&c->reply, dsn);
	if (dsn[0] == '2')
		snprintf(dsn, sizeof(dsn), "5.5.0");
	if (c->reply.code >= 500 && c->reply.code <= 504) /* RFC 5321 4.2.2: syntax, sequence */
		c->unexpected = true;
	*t = (struct trouble){
	    .permanent = c->reply.code / 100 != 4,
	    .dsn = arena_cstr(&d->arena, str_of(dsn)),
	    .text = arena_printf(&d->arena, "%shost %s said: %s (in reply to %s command)",
		c->reply.code / 100 == 2 ? "Protocol error: " : "", c->namaddr, buf_text(&diag),
		command),
	    .mta_name = arena_cstr(&d->arena, str_of(c->name)),
	    .diag = arena_cstr(&d->arena, buf_view(&diag)),
	    .relay = arena_cstr(&d->arena, str_of(c->relay)),
	};
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

static struct note *make_note(struct delivery *d, const struct trouble *t, const struct conn *c)
{
	struct note *n = arena_zero(&d->arena, sizeof(*n));

	n->t = *t;
	n->uses = c ? c->uses : 0;
	return n;
}

void fate_trouble(
    struct delivery *d, struct delivery_rcpt *r, const struct trouble *t, const struct conn *c)
{
	if (t->permanent)
		give(d, r, t, c ? c->uses : 0);
	else
		r->aux = make_note(d, t, c);
}

void fate_note_all(struct delivery *d, const struct trouble *t, const struct conn *c)
{
	struct note *n = make_note(d, t, c);

	for (size_t i = 0; i < d->nrcpts; i++)
		if (fate_is_open(&d->rcpts[i]))
			d->rcpts[i].aux = n;
}

void fate_trouble_all(struct delivery *d, const struct trouble *t, const struct conn *c)
{
	if (!t->permanent) {
		fate_note_all(d, t, c);
		return;
	}
	for (size_t i = 0; i < d->nrcpts; i++)
		if (fate_is_open(&d->rcpts[i]))
			give(d, &d->rcpts[i], t, c ? c->uses : 0);
}

void fate_forget_notes(struct delivery *d)
{
	char id[QUEUE_ID_MAX];

	snprintf(id, sizeof(id), "%.*s", STR_FMT(d->m.queue_id));
	for (size_t i = 0; i < d->nrcpts; i++) {
		struct note *n = d->rcpts[i].aux;
		if (n && !d->rcpts[i].done && !n->logged) {
			log_smtp_server(id, n->t.text);
			n->logged = true;
		}
		d->rcpts[i].aux = NULL;
	}
}

void fate_settle(struct delivery *d, const struct trouble *t)
{
	for (size_t i = 0; i < d->nrcpts; i++) {
		struct delivery_rcpt *r = &d->rcpts[i];
		struct note *n = r->aux;
		if (r->done)
			continue;
		if (n)
			give(d, r, &n->t, n->uses);
		else
			give(d, r, t, 0);
	}
}

/* RFC 3461 5.2: a next hop with DSN reports itself; without, the sender hears that the message was
 * relayed, or delivered where we know that this was its last hop. */
static const char *success_action(const struct conn *c)
{
	if (c->caps.mask & EHLO_DSN)
		return ACTION_PASSED_ON;
	if (smtp_flags.final || (smtp_is_lmtp() && conf.lmtp_assume_final))
		return "delivered";
	return "relayed";
}

void fate_sent(struct delivery *d, struct delivery_rcpt *r, const struct conn *c)
{
	struct buf text = {0};
	char dsn[16];
	struct fate f = {
	    .kind = RCPT_SENT,
	    .dsn = reply_dsn(&c->reply, dsn),
	    .action = success_action(c),
	    .mta_type = "dns",
	    .mta_name = c->name,
	    .diag_type = "smtp",
	    .relay = c->relay,
	    .conn_use = c->uses,
	};

	reply_joined(&c->reply, &text);
	f.diag = f.reason = buf_text(&text);
	if (dsn[0] != '2')
		f.dsn = "2.0.0"; /* a probe that ended with 354 */
	delivery_fate(d, r, &f);
	buf_free(&text);
}
