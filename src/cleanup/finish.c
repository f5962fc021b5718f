/* The end of a message: map the envelope, commit, tell qmgr. */
#include "cleanup/message.h"
#include "cleanup/qmgr_clnt.h"

#include "base/clock.h"
#include "ipc/deliver.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"

#include <errno.h>

void finish_setup(void)
{
	sender_setup();
	recipient_setup();
	header_setup();
	content_setup();
	checks_setup();
	milter_setup();
}

static bool has_utf8(const struct message *m)
{
	if ((m->env.sender.flags & SENDER_SMTPUTF8_HEADER) || !str_is_ascii(m->env.sender.address))
		return true;
	for (size_t i = 0; i < m->env.nrcpts; i++)
		if (!str_is_ascii(m->env.rcpts[i].address))
			return true;
	return false;
}

static void set_flags(struct message *m)
{
	struct ipc_env_message *em = &m->env.message;

	if (m->env.sender.address.n == 0)
		em->flags |= MESSAGE_BOUNCE;
	if (m->flags & CLEANUP_FLAG_INTERNAL)
		em->flags |= MESSAGE_INTERNAL;
	if (!conf.smtputf8_enable)
		m->env.sender.flags &= ~(uint32_t)(SENDER_SMTPUTF8 | SENDER_SMTPUTF8_HEADER);
	else if ((m->flags & CLEANUP_FLAG_AUTOUTF8) && has_utf8(m))
		m->env.sender.flags |= SENDER_SMTPUTF8;
	if (m->env.sender.flags & SENDER_SMTPUTF8)
		em->flags |= MESSAGE_SMTPUTF8;
}

/* --- mail that cannot be refused any more (it came from our own maildrop) is stored with its
 * verdict, and qmgr returns it to the sender */

static void log_bounced(const struct message *m, const struct ipc_env_rcpt *r, str dsn, str reason)
{
	struct buf delay = {0}, delays = {0}, code = {0}, text = {0};
	bool has_orig = r->orig_address.n > 0 && !str_eq_nocase(r->orig_address, r->address);

	delivery_delay(&delay, clock_wall_us() - m->env.message.arrival_us);
	buf_printf(&delays, "%s/0/0/0", buf_text(&delay));
	buf_str(&code, dsn);
	buf_str(&text, reason);
	log_delivery(m->id, r->address, has_orig ? r->orig_address : LOG_NONE, "none", 0,
	    buf_text(&delay), buf_text(&delays), buf_text(&code), "bounced", buf_text(&text));
	buf_free(&delay);
	buf_free(&delays);
	buf_free(&code);
	buf_free(&text);
}

/* "5.7.1" and the text behind it, from what a client would have been told. */
static void verdict(struct message *m, str dsn, str reason, struct ipc_rcpt_status *st)
{
	str why = str_of(m->why);
	size_t n = dsn_valid(why);

	if (n == 0) {
		st->dsn = dsn;
		st->reason = reason;
		return;
	}
	st->dsn = str_of(arena_printf(&m->arena, "5%.*s", STR_FMT(str_from(str_head(why, n), 1))));
	st->reason = str_trim(str_from(why, n));
}

static bool bounce_instead(struct message *m)
{
	static const struct {
		enum cleanup_status status;
		str dsn, reason;
	} reasons[] = {
	    {CLEANUP_SIZE, STR("5.3.4"), STR("message file too big")},
	    {CLEANUP_CONTENT, STR("5.7.1"), STR("message content rejected")},
	    {CLEANUP_HOPS, STR("5.4.0"), STR("too many hops")},
	};
	struct ipc_rcpt_status st = {.kind = RCPT_BOUNCED, .time_us = clock_wall_us()};
	size_t i = 0;

	while (i < ARRAY_SIZE(reasons) && reasons[i].status != m->status)
		i++;
	if (!(m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR) || i == ARRAY_SIZE(reasons))
		return false;
	verdict(m, reasons[i].dsn, reasons[i].reason, &st);
	m->status = CLEANUP_OK;
	/* Only the header goes back: the whole would be refused again where reports are checked too
	 * (internal_mail_filter_classes). */
	if (m->env.sender.ret == DSN_RET_NONE)
		m->env.sender.ret = DSN_RET_HDRS;
	sender_map(m);
	recipient_plain(m);
	if (m->status != CLEANUP_OK)
		return false;
	for (size_t k = 0; k < m->env.nrcpts; k++) {
		st.index = (uint32_t)k;
		message_fate(m, &st);
		log_bounced(m, &m->env.rcpts[k], st.dsn, st.reason);
	}
	return m->env.nrcpts > 0;
}

static void put_fates(struct message *m)
{
	struct envelope *e = &m->env;

	if (m->nearly == 0)
		return;
	e->status = arena_zero(&m->arena, e->nrcpts * sizeof(*e->status));
	for (size_t i = 0; i < e->nrcpts; i++)
		e->status[i].index = (uint32_t)i;
	for (size_t i = 0; i < m->nearly; i++)
		envelope_merge_status(e, &m->arena, &m->early[i]);
}

static void commit(struct message *m)
{
	struct queue_ref ref;
	struct err err;

	put_fates(m);
	if (queue_message_commit(m->queue, m->queue_name, &m->env, &ref, &err) < 0) {
		log_warn("%s: %s", m->id, err.text);
		m->status =
		    err.code == ENOSPC || err.code == EDQUOT ? CLEANUP_SPACE : CLEANUP_WRITE;
		m->why = "";
		return;
	}
	m->queue = NULL;
	m->status = CLEANUP_OK;
	qmgr_clnt_new(&ref, &m->env);
	qmgr_clnt_pace();
}

void finish(struct message *m)
{
	content_end(m);
	milter_judge(m);
	if (m->status == CLEANUP_OK && m->discard)
		return;
	if (m->status == CLEANUP_OK)
		sender_map(m);
	if (m->status == CLEANUP_OK)
		recipient_map_all(m);
	if (m->status == CLEANUP_OK && m->env.nrcpts == 0) {
		if (m->unwanted.count > 0) {
			log_info("%s: milters have removed all recipients", m->id);
			return;
		}
		message_fail(m, CLEANUP_NO_RCPT, NULL);
	}
	if (m->status == CLEANUP_OK || bounce_instead(m)) {
		set_flags(m);
		commit(m);
	}
}
