/* One mail transaction: MAIL, RCPT, DATA, content (RFC 5321 3.3, RFC 2033 4.2, RFC 2920). */
#include "smtp/smtp.h"

#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"

/* RFC 2920 3.1: commands sent ahead of their replies must not fill the windows of both directions.
 */
#define GROUP_RCPTS 50
#define GROUP_BYTES 8192

struct tx {
	struct conn *c;
	struct delivery *d;
	struct trouble *t;
	bool kept, utf8;
	struct delivery_rcpt **rcpts; /* those of this transaction, in order */
	size_t n, sent, heard;	      /* RCPT commands sent, replies heard */
	struct delivery_rcpt **taken; /* accepted */
	size_t ntaken;
	bool mail_heard, refused; /* the reply to MAIL; it was no */
	bool data_sent;
};

static bool pipelining(const struct tx *x)
{
	return (x->c->caps.mask & EHLO_PIPELINING) != 0;
}

static bool is_probe(const struct tx *x)
{
	return (x->d->m.flags & (DELIVER_PROBE | DELIVER_REPORT_ONLY)) != 0;
}

static bool probe_wants_data(void)
{
	return strcasecmp(conf.smtp_address_verify_target, "data") == 0;
}

static bool needs_data(const struct tx *x)
{
	return !is_probe(x) || probe_wants_data();
}

static enum tx_result lost(struct tx *x, enum tx_result how)
{
	trouble_lost(x->d, x->c, x->t);
	return how;
}

/* --- before MAIL */

/* Was SMTPUTF8 asked for, and is there UTF-8 in what the server would see of it? */
static bool needs_utf8(const struct delivery *d)
{
	if (d->m.sender_flags & SENDER_SMTPUTF8_HEADER || !str_is_ascii(d->m.sender))
		return true;
	for (size_t i = 0; i < d->nrcpts; i++)
		if (!d->rcpts[i].done && !str_is_ascii(d->rcpts[i].address))
			return true;
	return false;
}

/* RFC 6531 3.5: mail that needs SMTPUTF8 cannot go to a server without it; another host of the
 * destination may have it. */
static bool utf8_is_missing(struct tx *x)
{
	struct trouble t = {
	    .permanent = true,
	    .dsn = "5.6.7",
	    .mta_name = arena_cstr(&x->d->arena, str_of(x->c->name)),
	    .relay = arena_cstr(&x->d->arena, str_of(x->c->relay)),
	};

	if (!(x->d->m.sender_flags & SENDER_SMTPUTF8) || !conf.smtputf8_enable)
		return false;
	x->utf8 = (x->c->caps.mask & EHLO_SMTPUTF8) != 0;
	if (x->utf8 || !needs_utf8(x->d))
		return false;
	t.text = arena_printf(
	    &x->d->arena, "SMTPUTF8 is required, but was not offered by host %s", x->c->namaddr);
	fate_note_all(x->d, &t, x->c);
	return true;
}

/* RFC 1870 6.3: what the server has said it will not take is not offered. Its SIZE counts CRLF line
 * ends; the dots that we have doubled are too few to matter. */
static bool is_too_big(struct tx *x)
{
	struct trouble t = {
	    .permanent = true,
	    .dsn = "5.3.4",
	    .mta_name = arena_cstr(&x->d->arena, str_of(x->c->name)),
	    .relay = arena_cstr(&x->d->arena, str_of(x->c->relay)),
	};
	const struct ehlo_caps *caps = &x->c->caps;

	if (!(caps->mask & EHLO_SIZE) || caps->size == 0 || x->d->m.content_length <= caps->size)
		return false;
	t.text =
	    arena_printf(&x->d->arena, "message size %llu exceeds size limit %llu of server %s",
		(unsigned long long)x->d->m.content_length, (unsigned long long)caps->size,
		x->c->namaddr);
	fate_trouble_all(x->d, &t, x->c);
	return true;
}

/* flag D: who is named in a Delivered-To: header has had this message. */
static bool keep_rcpt(struct tx *x, struct delivery_rcpt *r)
{
	struct trouble t = {
	    .permanent = true,
	    .dsn = "5.4.6",
	    .relay = arena_cstr(&x->d->arena, str_of(x->c->relay)),
	};

	if (r->done)
		return false;
	if (!smtp_flags.delivered_to || extra_is_loop(x->d, r->address) != 1)
		return true;
	t.text = arena_printf(&x->d->arena, "mail forwarding loop for %.*s", STR_FMT(r->address));
	fate_trouble(x->d, r, &t, x->c);
	return false;
}

static void choose_rcpts(struct tx *x)
{
	x->rcpts = arena_alloc(&x->d->arena, (x->d->nrcpts + 1) * sizeof(*x->rcpts));
	x->taken = arena_alloc(&x->d->arena, (x->d->nrcpts + 1) * sizeof(*x->taken));
	for (size_t i = 0; i < x->d->nrcpts; i++)
		if (keep_rcpt(x, &x->d->rcpts[i]))
			x->rcpts[x->n++] = &x->d->rcpts[i];
}

/* --- commands */

/* -1: it cannot be made; fates are given, or *t says that it is our fault. */
static int put_mail(struct tx *x)
{
	struct buf line = {0};
	int status = command_mail(x->c, x->d, x->utf8, &line, x->t);

	if (status == 0) {
		chat_put(x->c, conf.smtp_mail_timeout, "%s", buf_text(&line));
		x->c->in_transaction = true;
	}
	buf_free(&line);
	return status;
}

/* Sends the next RCPT. Recipients whose command cannot be made are dropped from the list. */
static size_t put_rcpt(struct tx *x)
{
	struct buf line = {0};
	struct trouble t;
	size_t size = 0;

	if (command_rcpt(x->c, x->d, x->rcpts[x->sent], x->utf8, &line, &t) == 0) {
		chat_put(x->c, conf.smtp_rcpt_timeout, "%s", buf_text(&line));
		size = line.n;
		x->sent++;
	} else {
		fate_trouble(x->d, x->rcpts[x->sent], &t, NULL);
		x->n--;
		memmove(&x->rcpts[x->sent], &x->rcpts[x->sent + 1],
		    (x->n - x->sent) * sizeof(struct delivery_rcpt *));
	}
	buf_free(&line);
	return size;
}

/* As many RCPT as may go ahead of their replies, and DATA behind the last one. */
static void put_group(struct tx *x)
{
	size_t most = pipelining(x) ? GROUP_RCPTS : 1, bytes = 0, first = x->sent;

	while (x->sent < x->n && x->sent - first < most && bytes < GROUP_BYTES)
		bytes += put_rcpt(x);
	if (x->sent == x->n && x->sent > 0 && pipelining(x) && needs_data(x)) {
		chat_put(x->c, conf.smtp_data_init_timeout, "DATA");
		x->data_sent = true;
	}
}

/* --- replies */

static enum tx_result hear_mail(struct tx *x)
{
	struct trouble t;

	x->c->phase = "sending MAIL FROM";
	if (chat_reply(x->c, conf.smtp_mail_timeout) < 0)
		return lost(x, TX_LOST);
	x->mail_heard = true;
	if (x->c->reply.code / 100 == 2)
		return TX_DONE;
	x->refused = true;
	trouble_reply(x->d, x->c, "MAIL FROM", &t);
	/* Servers have limits for connections; a fresh one gets the message's own answer. */
	if (x->kept && !t.permanent) {
		x->c->broken = true;
		*x->t = t;
		return TX_LOST;
	}
	fate_trouble_all(x->d, &t, x->c);
	return TX_DONE;
}

static void take_rcpt_reply(struct tx *x, struct delivery_rcpt *r)
{
	struct trouble t;

	if (x->c->reply.code / 100 != 2) {
		trouble_reply(x->d, x->c, "RCPT TO", &t);
		fate_trouble(x->d, r, &t, x->c);
	} else if (is_probe(x) && !probe_wants_data()) {
		fate_sent(x->d, r, x->c);
	} else {
		x->taken[x->ntaken++] = r;
	}
}

/* A server that writes reply by reply sends the next one only when the last is acknowledged
 * (Nagle's algorithm), and TCP would take its time for that (40 ms). */
static void hurry(struct tx *x)
{
	if (pipelining(x) && stream_buffered(x->c->io) == 0)
		stream_acknowledge(x->c->io);
}

static enum tx_result hear_rcpt(struct tx *x)
{
	struct delivery_rcpt *r = x->rcpts[x->heard++];

	x->c->phase = "sending RCPT TO";
	hurry(x);
	if (chat_reply(x->c, conf.smtp_rcpt_timeout) < 0)
		return lost(x, TX_LOST);
	if (!x->refused)
		take_rcpt_reply(x, r);
	return TX_DONE;
}

/* MAIL and all RCPT, in groups where the server has PIPELINING. */
static enum tx_result envelope(struct tx *x)
{
	enum tx_result r = TX_DONE;

	if (!pipelining(x))
		r = hear_mail(x);
	while (r == TX_DONE && !x->refused && x->heard < x->n) {
		put_group(x);
		if (!x->mail_heard)
			r = hear_mail(x);
		while (r == TX_DONE && x->heard < x->sent)
			r = hear_rcpt(x);
	}
	return r;
}

/* --- the content */

/* DATA went ahead of the replies and nobody was accepted: the server should refuse it; if it does
 * not, an empty message is sent to nobody. */
static void end_unwanted_data(struct tx *x)
{
	x->c->phase = "sending DATA command";
	if (chat_reply(x->c, conf.smtp_data_init_timeout) < 0 || x->c->reply.code / 100 != 3)
		return;
	chat_put(x->c, conf.smtp_data_init_timeout, ".");
	if (chat_reply(x->c, conf.smtp_data_done_timeout) == 0)
		x->c->in_transaction = false;
}

/* For the accepted recipients the content is refused. */
static void refuse_taken(struct tx *x, const char *command)
{
	struct trouble t;

	trouble_reply(x->d, x->c, command, &t);
	for (size_t i = 0; i < x->ntaken; i++)
		fate_trouble(x->d, x->taken[i], &t, x->c);
}

/* smtp_address_verify_target = data: the reply to DATA tells, and nothing is sent. */
static void end_probe(struct tx *x)
{
	for (size_t i = 0; i < x->ntaken; i++)
		fate_sent(x->d, x->taken[i], x->c);
	x->c->broken = true;
}

/* RFC 5321: one reply for all. RFC 2033 4.2: one for each accepted recipient, in order. Who has
 * none when the connection breaks may or may not have the message. */
static enum tx_result verdicts(struct tx *x)
{
	size_t replies = smtp_is_lmtp() ? x->ntaken : 1;
	struct trouble t;

	x->c->phase = "sending end of data -- message may be sent more than once";
	for (size_t i = 0; i < replies; i++) {
		if (i > 0)
			hurry(x);
		if (chat_reply(x->c, conf.smtp_data_done_timeout) < 0)
			return lost(x, TX_LOST_LATE);
		for (size_t k = i; k < (smtp_is_lmtp() ? i + 1 : x->ntaken); k++) {
			if (x->c->reply.code / 100 == 2) {
				fate_sent(x->d, x->taken[k], x->c);
				continue;
			}
			trouble_reply(x->d, x->c, "end of DATA", &t);
			fate_trouble(x->d, x->taken[k], &t, x->c);
		}
	}
	x->c->in_transaction = false;
	return TX_DONE;
}

/* The message cannot be sent as it should be. The end of this connection must not look like the end
 * of a message. */
static enum tx_result ours(struct tx *x)
{
	x->c->broken = true;
	*x->t = (struct trouble){
	    .dsn = "4.3.0",
	    .text =
		arena_printf(&x->d->arena, "local data error while talking to %s", x->c->namaddr),
	    .relay = arena_cstr(&x->d->arena, str_of(x->c->relay)),
	};
	return TX_OURS;
}

/* The server spoke while it should have listened: a refusal counts, anything else makes no sense.
 * It may still be waiting for the rest of the message, so that this connection is of no more use.
 */
static enum tx_result early_reply(struct tx *x)
{
	int heard = chat_reply(x->c, conf.smtp_data_done_timeout);

	if (heard == 0 && x->c->reply.code / 100 >= 4) {
		refuse_taken(x, "end of DATA");
		x->c->broken = true;
		return TX_DONE;
	}
	if (heard == 0)
		log_warn("%s: reply before its time while %s: %d", x->c->relay, x->c->phase,
		    x->c->reply.code);
	x->c->broken = true;
	return lost(x, TX_LOST_LATE);
}

static enum tx_result content(struct tx *x)
{
	switch (body_send(x->c, x->d)) {
	case BODY_SENT:
		return verdicts(x);
	case BODY_LOST:
		return lost(x, TX_LOST_LATE);
	case BODY_EARLY:
		return early_reply(x);
	default:
		return ours(x);
	}
}

static enum tx_result data(struct tx *x)
{
	x->c->phase = "sending DATA command";
	if (!x->data_sent)
		chat_put(x->c, conf.smtp_data_init_timeout, "DATA");
	else
		hurry(x);
	if (chat_reply(x->c, conf.smtp_data_init_timeout) < 0)
		return lost(x, TX_LOST);
	if (x->c->reply.code / 100 != 3) {
		refuse_taken(x, "DATA");
		return TX_DONE;
	}
	if (is_probe(x)) {
		end_probe(x);
		return TX_DONE;
	}
	return content(x);
}

enum tx_result transaction_run(struct conn *c, struct delivery *d, bool kept, struct trouble *t)
{
	struct tx x = {.c = c, .d = d, .t = t, .kept = kept};
	enum tx_result r;

	c->uses++;
	c->work = arena_printf(&d->arena, "%.*s: ", STR_FMT(d->m.queue_id));
	if (utf8_is_missing(&x) || is_too_big(&x))
		return TX_DONE;
	choose_rcpts(&x);
	if (x.n == 0)
		return TX_DONE;
	if (xforward_send(c, d) < 0)
		return lost(&x, TX_LOST);
	if (put_mail(&x) < 0) {
		if (!t->permanent)
			return TX_OURS;
		fate_trouble_all(d, t, NULL);
		return TX_DONE;
	}
	r = envelope(&x);
	if (r != TX_DONE)
		return r;
	if (!x.refused && x.ntaken > 0)
		return data(&x);
	if (x.data_sent)
		end_unwanted_data(&x);
	return TX_DONE;
}
