/* Reports to senders, made by the bounce programs before a message ends or waits again. */
#include "base/clock.h"
#include "ipc/notify.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "mail/verp.h"
#include "param/param.h"
#include "qmgr/active.h"
#include "qmgr/index.h"
#include "service/service.h"

#include <stdlib.h>

#define REPORTERS 16

static struct list queue = {&queue, &queue};
static struct cond wanted;
static size_t idle, count;

/* --- which recipients a report is about */

static bool is_probe(const struct message *m)
{
	return m->env.message.flags & MESSAGE_PROBE_REPORT;
}

static bool is_trace(const struct message *m)
{
	uint32_t flags = m->env.message.flags;

	return (flags & MESSAGE_PROBE_REPORT) ||
	       ((flags & MESSAGE_TRACE) && !(flags & MESSAGE_TRACED));
}

static bool delay_cleared(const struct message *m)
{
	return conf.confirm_delay_cleared && (m->env.message.flags & MESSAGE_WARNED);
}

static bool wants_success(const struct message *m, size_t i)
{
	const struct ipc_rcpt_status *st = &m->env.status[i];

	if (is_trace(m))
		return m->marks[i] & MARK_ROUND;
	return st->kind == RCPT_SENT && !str_eq(st->action, STR(ACTION_PASSED_ON)) &&
	       ((m->env.rcpts[i].notify & DSN_NOTIFY_SUCCESS) || delay_cleared(m));
}

static bool is_undelivered(const struct message *m, size_t i)
{
	return m->env.status[i].kind == RCPT_BOUNCED &&
	       !(m->env.message.flags & MESSAGE_PROBE_REPORT);
}

/* What expired has the code of its last deferral. */
static bool wants_expired(const struct message *m, size_t i)
{
	return is_undelivered(m, i) && str_starts(m->env.status[i].dsn, STR("4"));
}

static bool wants_bounce(const struct message *m, size_t i)
{
	return is_undelivered(m, i) && !wants_expired(m, i);
}

/* The delay warning is due once, when a message has waited for so long. */
static bool delay_due(const struct message *m)
{
	int64_t age = clock_wall_us() - m->env.message.arrival_us;

	return conf.delay_warning_time > 0 && m->env.sender.address.n &&
	       !(m->env.message.flags & (MESSAGE_WARNED | MESSAGE_PROBE_REPORT)) &&
	       age >= conf.delay_warning_time * INT64_C(1000000);
}

static bool wants_delay(const struct message *m, size_t i)
{
	return m->env.status[i].kind == RCPT_DEFERRED;
}

bool report_wanted(const struct message *m)
{
	bool delay = delay_due(m);

	for (size_t i = 0; i < m->env.nrcpts; i++)
		if (wants_success(m, i) || is_undelivered(m, i) || (delay && wants_delay(m, i)))
			return true;
	return false;
}

/* --- one report */

static int send_report(
    struct message *m, enum notify_kind kind, str return_path, const uint32_t *which, size_t n)
{
	const struct envelope *e = &m->env;
	struct buf path = {0};
	struct ipc_notify request = {
	    .kind = kind == NOTIFY_SUCCESS && is_trace(m) ? NOTIFY_TRACE : kind,
	    .queue_id = str_of(m->ref.id),
	    .content_offset = m->ref.content_offset,
	    .content_length = m->ref.content_length,
	    .sender = e->sender.address,
	    .return_path = return_path,
	    .envid = e->sender.envid,
	    .ret = e->sender.ret,
	    .sender_flags = e->sender.flags,
	    .content_flags = e->message.content_flags,
	    .arrival_us = e->message.arrival_us};
	struct err err;
	int r;

	request.expire_us = e->message.arrival_us + conf.maximal_queue_lifetime * INT64_C(1000000);
	queue_ref_path(&path, &m->ref);
	request.path = buf_view(&path);
	r = notify_send(&request, e->attrs, e->nattrs, e->rcpts, e->status, which, n,
	    deadline_in(conf.daemon_timeout * INT64_C(1000) / 10), &err);
	if (r < 0)
		log_warn("%s: report not made: %s", m->ref.id, err.text);
	buf_free(&path);
	return r;
}

/* The recipient has its report: nothing is left to do for it. */
static void reported(struct message *m, uint32_t index)
{
	struct ipc_rcpt_status st = m->env.status[index];

	st.kind = RCPT_REPORTED;
	message_status(m, &st);
}

/* One report for each recipient, to a return path of its own. */
static int send_verp(struct message *m, const uint32_t *which, size_t n)
{
	str delims = envelope_attr(&m->env, "verp_delimiters");
	struct buf sender = {0};
	int bad = 0;

	if (!delims.n)
		delims = str_of(conf.default_verp_delimiters);
	for (size_t i = 0; i < n; i++) {
		buf_clear(&sender);
		verp_sender(&sender, delims, m->env.sender.address, m->env.rcpts[which[i]].address);
		if (send_report(m, NOTIFY_BOUNCE, buf_view(&sender), &which[i], 1) < 0)
			bad = -1;
		else
			reported(m, which[i]);
	}
	buf_free(&sender);
	return bad;
}

static int report(struct message *m, enum notify_kind kind, const uint32_t *which, size_t n)
{
	bool verp = (m->env.sender.flags & SENDER_VERP) && !conf.disable_verp_bounces;

	if (kind == NOTIFY_BOUNCE && verp)
		return send_verp(m, which, n);
	if (send_report(m, kind, STR(""), which, n) < 0)
		return -1;
	if (kind == NOTIFY_DELAY) {
		m->env.message.flags |= MESSAGE_WARNED;
		queue_store_flags(qmgr_store, &m->ref, MESSAGE_WARNED);
		return 0;
	}
	if (kind == NOTIFY_SUCCESS && is_trace(m) && !is_probe(m)) {
		m->env.message.flags |= MESSAGE_TRACED;
		queue_store_flags(qmgr_store, &m->ref, MESSAGE_TRACED);
	}
	for (size_t i = 0; i < n; i++)
		if (kind == NOTIFY_BOUNCE || is_probe(m) ||
		    m->env.status[which[i]].kind == RCPT_SENT)
			reported(m, which[i]);
	return 0;
}

/* --- the reports of a message */

static int report_about(
    struct message *m, enum notify_kind kind, bool (*wants)(const struct message *m, size_t i))
{
	uint32_t *which = mem_alloc((m->env.nrcpts + 1) * sizeof(*which));
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < m->env.nrcpts; i++)
		if (wants(m, i))
			which[n++] = (uint32_t)i;
	if (n)
		r = report(m, kind, which, n);
	free(which);
	return r;
}

static bool report_all(struct message *m)
{
	bool ok = report_about(m, NOTIFY_SUCCESS, wants_success) == 0;

	/* Refused now, and waited for in vain: two reports, as they would come at two times. */
	ok &= report_about(m, NOTIFY_BOUNCE, wants_bounce) == 0;
	ok &= report_about(m, NOTIFY_BOUNCE, wants_expired) == 0;
	if (delay_due(m))
		report_about(m, NOTIFY_DELAY, wants_delay); /* when it fails, at the next attempt */
	return ok;
}

static void reporter(void *arg)
{
	(void)arg;
	for (;;) {
		struct message *m;

		if (list_empty(&queue)) {
			enum wait w;

			idle++;
			w = cond_wait(&wanted, FOREVER);
			idle--;
			if (w != WAIT_OK)
				return;
			continue;
		}
		m = LIST_ITEM(queue.next, struct message, link);
		list_remove(&m->link);
		message_reported(m, report_all(m));
		count--;
		if (co_cancelled())
			return;
	}
}

void report_add(struct message *m)
{
	count++;
	list_append(&queue, &m->link);
	if (idle)
		cond_wake_one(&wanted);
}

size_t report_count(void)
{
	return count;
}

void report_start(void)
{
	cond_init(&wanted);
	for (int i = 0; i < REPORTERS; i++)
		co_start(service_scope(), "reporter", reporter, NULL);
}
