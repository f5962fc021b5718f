/* One mail transaction: MAIL, RCPT, DATA, content (RFC 5321 3.3, RFC 2033 4.2, RFC 2920). */
#include "smtp/smtp.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"

#include <errno.h>

#define PIPELINE_RCPTS 100 /* commands sent ahead of their replies */

struct tx {
	struct conn *c;
	struct delivery *d;
	struct trouble *t;
	bool pipelining, utf8;
	size_t accepted;
	struct delivery_rcpt **taken; /* accepted recipients, in order */
};

/* The address as this server gets it: generic maps, A-labels where it has no SMTPUTF8, quotes. */
static int put_address(struct tx *x, struct buf *out, str address)
{
	struct buf a = {0}, ascii = {0};
	struct err err;
	int status = generic_address(address, &a, &err);

	if (status < 0)
		log_warn("%.*s: %s", STR_FMT(x->d->m.queue_id), err.text);
	else if (!x->utf8 && !str_is_ascii(buf_view(&a)) &&
		 addr_to_ascii_domain(&ascii, buf_view(&a)))
		addr_quote(out, buf_view(&ascii));
	else
		addr_quote(out, buf_view(&a));
	buf_free(&a);
	buf_free(&ascii);
	return status;
}

static int mail_command(struct tx *x, struct buf *line)
{
	const struct ipc_deliver *m = &x->d->m;
	uint64_t caps = x->c->caps.mask;

	buf_cstr(line, "MAIL FROM:<");
	if (put_address(x, line, m->sender) < 0)
		return -1;
	buf_char(line, '>');
	if (caps & EHLO_SIZE)
		buf_printf(line, " SIZE=%llu", (unsigned long long)m->size);
	if ((caps & EHLO_8BITMIME) && body_is_eight_bit(x->d))
		buf_cstr(line, " BODY=8BITMIME");
	if (caps & EHLO_DSN) {
		if (m->envid.n)
			buf_printf(line, " ENVID=%.*s", STR_FMT(m->envid));
		if (m->ret != DSN_RET_NONE)
			buf_printf(line, " RET=%s", m->ret == DSN_RET_FULL ? "FULL" : "HDRS");
	}
	if (x->utf8)
		buf_cstr(line, " SMTPUTF8");
	return 0;
}

static int rcpt_command(struct tx *x, const struct delivery_rcpt *r, struct buf *line)
{
	buf_cstr(line, "RCPT TO:<");
	if (put_address(x, line, r->address) < 0)
		return -1;
	buf_char(line, '>');
	if (x->c->caps.mask & EHLO_DSN) {
		if (r->orcpt.n)
			buf_printf(line, " ORCPT=%.*s", STR_FMT(r->orcpt));
		if (r->notify) {
			buf_cstr(line, " NOTIFY=");
			dsn_print_notify(line, r->notify);
		}
	}
	return 0;
}

static int lost(struct tx *x)
{
	trouble_lost(x->d, x->c, errno, x->t);
	return -1;
}

/* Everybody who is left shares this refusal. */
static void refuse_all(struct tx *x, const char *command)
{
	struct trouble t;

	trouble_reply(x->d, x->c, command, &t);
	for (size_t i = 0; i < x->d->nrcpts; i++)
		if (!x->d->rcpts[i].done)
			fate_trouble(x->d, &x->d->rcpts[i], &t, x->c);
}

/* RFC 6531 3.5: mail that needs SMTPUTF8 cannot go to a server without it. */
static bool utf8_is_missing(struct tx *x)
{
	struct trouble t = {
	    .permanent = true,
	    .dsn = "5.6.7",
	    .mta_name = arena_cstr(&x->d->arena, str_of(x->c->name)),
	    .relay = arena_cstr(&x->d->arena, str_of(x->c->relay)),
	};

	if (!(x->d->m.sender_flags &
		(SENDER_SMTPUTF8 | SENDER_SMTPUTF8_RCPT | SENDER_SMTPUTF8_HEADER)) ||
	    !conf.smtputf8_enable)
		return false;
	if (x->c->caps.mask & EHLO_SMTPUTF8) {
		x->utf8 = true;
		return false;
	}
	t.text = arena_printf(
	    &x->d->arena, "SMTPUTF8 is required, but was not offered by host %s", x->c->namaddr);
	for (size_t i = 0; i < x->d->nrcpts; i++)
		if (!x->d->rcpts[i].done)
			fate_trouble(x->d, &x->d->rcpts[i], &t, x->c);
	return true;
}

static int put_command(struct tx *x,
    int (*make)(struct tx *, const struct delivery_rcpt *, struct buf *),
    const struct delivery_rcpt *r)
{
	struct buf line = {0};
	int status = make ? make(x, r, &line) : mail_command(x, &line);

	if (status < 0)
		*x->t = (struct trouble){
		    .dsn = "4.3.0", .text = "address mapping failed", .relay = "none"};
	else
		conn_put(x->c, "%s", buf_text(&line));
	buf_free(&line);
	return status;
}

/* The reply to MAIL: 0 go on, 1 refused, -1 lost. */
static int mail_reply(struct tx *x)
{
	x->c->phase = "sending MAIL FROM";
	if (conn_reply(x->c, conf.smtp_mail_timeout) < 0)
		return lost(x);
	if (x->c->reply.code / 100 == 2)
		return 0;
	refuse_all(x, "MAIL FROM");
	return 1;
}

static int rcpt_reply(struct tx *x, struct delivery_rcpt *r, bool mail_refused)
{
	struct trouble t;

	x->c->phase = "sending RCPT TO";
	if (conn_reply(x->c, conf.smtp_rcpt_timeout) < 0)
		return lost(x);
	if (mail_refused)
		return 0;
	if (x->c->reply.code / 100 == 2) {
		x->taken[x->accepted++] = r;
	} else {
		trouble_reply(x->d, x->c, "RCPT TO", &t);
		/* RFC 5321 4.5.3.1.10: 552 to a recipient means "too many" */
		if (x->c->reply.code == 552 && !x->c->reply.dsn[0])
			t.permanent = false;
		fate_trouble(x->d, r, &t, x->c);
	}
	return 0;
}

/* Sends MAIL, all RCPT and, pipelining, DATA; *data: DATA was sent. */
static int envelope(struct tx *x, bool *data, bool *refused)
{
	size_t i = 0, sent = 0, n = x->d->nrcpts;
	int r;

	*data = *refused = false;
	if (put_command(x, NULL, NULL) < 0)
		return -1;
	x->c->in_transaction = true;
	if (!x->pipelining && (r = mail_reply(x)) != 0) {
		*refused = r > 0;
		return r < 0 ? -1 : 0;
	}
	bool mail_pending = x->pipelining;
	while (i < n) {
		size_t first = i, group = 0;
		for (; i < n && group < (x->pipelining ? PIPELINE_RCPTS : 1); i++) {
			if (x->d->rcpts[i].done)
				continue;
			if (put_command(x, rcpt_command, &x->d->rcpts[i]) < 0)
				return -1;
			group++;
			sent++;
		}
		if (x->pipelining && i == n && !smtp_is_lmtp()) {
			conn_put(x->c, "DATA");
			*data = true;
		}
		if (mail_pending) {
			if ((r = mail_reply(x)) < 0)
				return -1;
			*refused = r > 0;
			mail_pending = false;
		}
		for (size_t k = first; k < i; k++)
			if ((!x->d->rcpts[k].done || *refused) && group > 0) {
				if (x->d->rcpts[k].done && !*refused)
					continue;
				if (rcpt_reply(x, &x->d->rcpts[k], *refused) < 0)
					return -1;
				group--;
			}
	}
	return 0;
}

/* DATA went ahead of the replies and nobody was accepted: the server should refuse it; if it does
 * not, an empty message is sent to nobody. */
static int end_unwanted_data(struct tx *x)
{
	x->c->phase = "sending DATA command";
	if (conn_reply(x->c, conf.smtp_data_init_timeout) < 0)
		return 0; /* fates are given already */
	if (x->c->reply.code / 100 != 3)
		return 0;
	conn_put(x->c, ".");
	conn_reply(x->c, conf.smtp_data_done_timeout);
	return 0;
}

static int ask_data(struct tx *x, bool sent)
{
	struct trouble t;

	x->c->phase = "sending DATA command";
	if (!sent)
		conn_put(x->c, "DATA");
	if (conn_reply(x->c, conf.smtp_data_init_timeout) < 0)
		return lost(x);
	if (x->c->reply.code / 100 == 3)
		return 0;
	trouble_reply(x->d, x->c, "DATA", &t);
	for (size_t i = 0; i < x->accepted; i++)
		fate_trouble(x->d, x->taken[i], &t, x->c);
	return 1;
}

/* The verdict on the content: one for all (SMTP) or one each (LMTP). */
static int verdicts(struct tx *x)
{
	size_t replies = smtp_is_lmtp() ? x->accepted : 1;
	struct buf text = {0};

	for (size_t i = 0; i < replies; i++) {
		x->c->phase = "sending end of data -- message may be sent more than once";
		if (conn_reply(x->c, conf.smtp_data_done_timeout) < 0) {
			buf_free(&text);
			return lost(x);
		}
		size_t last = smtp_is_lmtp() ? i + 1 : x->accepted;
		buf_clear(&text);
		reply_joined(&x->c->reply, &text);
		for (size_t k = i; k < last; k++) {
			struct trouble t;
			if (x->c->reply.code / 100 == 2) {
				fate_sent(x->d, x->taken[k], x->c, buf_text(&text));
			} else {
				trouble_reply(x->d, x->c, "end of DATA", &t);
				fate_trouble(x->d, x->taken[k], &t, x->c);
			}
		}
	}
	buf_free(&text);
	return 0;
}

static int content(struct tx *x)
{
	switch (body_send(x->c, x->d)) {
	case 0:
		return verdicts(x);
	case -1:
		return lost(x);
	default: /* the content cannot be read: this connection must not look like a whole message
		  */
		x->c->broken = true;
		*x->t = (struct trouble){
		    .dsn = "4.3.0", .text = "queue file read error", .relay = "none"};
		return -1;
	}
}

int transaction_run(struct conn *c, struct delivery *d, struct trouble *t)
{
	struct tx x = {.c = c, .d = d, .t = t, .pipelining = (c->caps.mask & EHLO_PIPELINING) != 0};
	bool data, refused;
	int r;

	if (utf8_is_missing(&x))
		return 0;
	x.taken = arena_alloc(&d->arena, (d->nrcpts + 1) * sizeof(*x.taken));
	c->uses++;
	if (envelope(&x, &data, &refused) < 0)
		return -1;
	if (x.accepted == 0 || refused) {
		if (data)
			return end_unwanted_data(&x);
		if (!c->broken) {
			c->phase = "sending RSET";
			conn_put(c, "RSET");
			if (conn_reply(c, conf.smtp_rset_timeout) == 0)
				c->in_transaction = false;
		}
		return 0;
	}
	r = ask_data(&x, data);
	if (r == 0)
		r = content(&x);
	if (r >= 0)
		c->in_transaction = false;
	return r < 0 ? -1 : 0;
}
