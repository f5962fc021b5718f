/* The end of a message: map the envelope, commit, tell qmgr. */
#include "cleanup/message.h"
#include "cleanup/qmgr_clnt.h"

#include "ipc/deliver.h"
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
}

static void set_flags(struct message *m)
{
	struct ipc_env_message *em = &m->env.message;
	struct ipc_env_sender *s = &m->env.sender;

	if (s->address.n == 0)
		em->flags |= MESSAGE_BOUNCE;
	if (m->flags & CLEANUP_FLAG_INTERNAL)
		em->flags |= MESSAGE_INTERNAL;
	if ((s->flags & SENDER_SMTPUTF8) ||
	    (m->flags & CLEANUP_FLAG_AUTOUTF8 && s->flags & SENDER_SMTPUTF8_RCPT))
		em->flags |= MESSAGE_SMTPUTF8;
	if (s->flags & SENDER_BODY_8BITMIME)
		em->content_flags |= CONTENT_MIME_8BIT;
}

/* Mail that cannot be refused any more (it came from our own maildrop) is stored with its verdict,
 * and qmgr returns it to the sender. */
static bool bounce_instead(struct message *m)
{
	static const struct {
		enum cleanup_status status;
		const char *dsn, *reason;
	} reasons[] = {
	    {CLEANUP_SIZE, "5.3.4", "message file too big"},
	    {CLEANUP_CONTENT, "5.7.1", "message content rejected"},
	    {CLEANUP_HOPS, "5.4.6", "too many hops"},
	    {CLEANUP_EXPANSION, "5.4.6", "alias expansion error"},
	};
	struct ipc_rcpt_status st = {.kind = RCPT_BOUNCED, .time_us = m->env.message.arrival_us};

	if (!(m->flags & CLEANUP_FLAG_BOUNCE_ON_ERROR))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		size_t n = dsn_valid(str_of(m->why));
		if (reasons[i].status != m->status)
			continue;
		st.dsn = n ? str_head(str_of(m->why), n) : str_of(reasons[i].dsn);
		st.reason = n ? str_trim(str_from(str_of(m->why), n)) : str_of(reasons[i].reason);
		m->env.nrcpts = m->nearly = 0;
		for (size_t k = 0; k < m->ngiven; k++) {
			envelope_add_rcpt(&m->env, &m->arena, &m->given[k]);
			st.index = (uint32_t)k;
			message_fate(m, &st);
		}
		return m->env.nrcpts > 0;
	}
	return false;
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
		m->status = err.code == ENOSPC ? CLEANUP_SPACE : CLEANUP_WRITE;
		m->why = "";
		return;
	}
	m->queue = NULL;
	m->status = CLEANUP_OK;
	qmgr_clnt_new(&ref, &m->env);
}

void finish(struct message *m)
{
	if (m->status == CLEANUP_OK)
		content_end(m);
	if (m->status == CLEANUP_OK)
		sender_map(m);
	if (m->status == CLEANUP_OK)
		recipient_map_all(m);
	if (m->status == CLEANUP_OK && m->env.nrcpts == 0)
		message_fail(m, CLEANUP_NO_RCPT, NULL);
	set_flags(m);
	if (m->status == CLEANUP_OK && m->discard)
		return;
	if (m->status == CLEANUP_OK || bounce_instead(m))
		commit(m);
}
