#include "qmgr/message.h"

#include "base/clock.h"
#include "log/event.h"
#include "loop/loop.h"
#include "param/param.h"
#include "qmgr/active.h"
#include "qmgr/backoff.h"
#include "qmgr/fate.h"
#include "qmgr/schedule.h"
#include "service/service.h"

#include <sys/random.h>

static struct list progress = {&progress, &progress};
static bool progress_deferred;

static bool from_null(const struct message *m)
{
	return m->env.sender.address.n == 0;
}

/* Those whose address was replaced by others (RFC 3461 5.2.7.3) only wait for a report. */
static size_t real_rcpts(const struct envelope *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->nrcpts; i++)
		n += !str_eq(e->status[i].action, STR("expanded"));
	return n;
}

void message_start(struct message *m)
{
	struct envelope *e = &m->env;

	m->marks = arena_zero(&m->arena, e->nrcpts + 1);
	m->active_us = clock_wall_us();
	if (e->message.flags & MESSAGE_FORCE_EXPIRE)
		m->item->flags |= ITEM_EXPIRE;
	log_qmgr_active(m->item->id, e->sender.address, e->message.size, real_rcpts(e));
	active_recipients((ssize_t)e->nrcpts);
	m->counted = true;
	m->item->flags &= (uint8_t) ~(ITEM_FOUND | ITEM_SKIPPED);
	late_apply(m);
	m->stage = STAGE_DELIVERING;
	if (m->super)
		message_progress(m);
	else
		route_add(m);
}

/* Notes that a status changed of which the queue has not been told. */
static void unstored(struct message *m, uint32_t index)
{
	if (m->marks[index] & MARK_UNSTORED)
		return;
	if (m->nunstored == m->unstored_cap) {
		uint32_t cap = m->unstored_cap ? m->unstored_cap * 4 : 4;
		uint32_t *v = arena_alloc(&m->arena, cap * sizeof(*v));

		if (m->nunstored)
			memcpy(v, m->unstored, m->nunstored * sizeof(*v));
		m->unstored = v;
		m->unstored_cap = cap;
	}
	m->marks[index] |= MARK_UNSTORED;
	m->unstored[m->nunstored++] = index;
}

void message_status(struct message *m, const struct ipc_rcpt_status *st)
{
	if (envelope_merge_status(&m->env, &m->arena, st) == 0) {
		m->marks[st->index] |= MARK_ROUND;
		unstored(m, st->index);
	}
}

static void own_status(
    struct message *m, uint32_t index, enum rcpt_kind kind, const char *dsn, str text)
{
	struct ipc_rcpt_status st = {.index = index,
	    .kind = kind,
	    .dsn = str_of(dsn),
	    .reason = text,
	    .time_us = clock_wall_us()};

	fate_log(m, index, kind, dsn, text);
	message_status(m, &st);
}

void message_defer(struct message *m, uint32_t index, const char *dsn, str reason)
{
	own_status(m, index, RCPT_DEFERRED, dsn, reason);
}

void message_sent(struct message *m, uint32_t index, const char *dsn, const char *text)
{
	own_status(m, index, RCPT_SENT, dsn, str_of(text));
}

void message_store(struct message *m)
{
	for (uint32_t i = 0; i < m->nunstored; i++) {
		uint32_t index = m->unstored[i];

		m->marks[index] &= (uint8_t)~MARK_UNSTORED;
		queue_store_status(qmgr_store, &m->ref, &m->env.status[index]);
	}
	m->nunstored = 0;
}

/* Deferred recipients of a message whose time is over become bounced ones. */
static void expire(struct message *m)
{
	bool forced = m->item->flags & ITEM_EXPIRE, any = false;
	int lifetime = from_null(m) ? conf.bounce_queue_lifetime : conf.maximal_queue_lifetime;

	if (!forced && !backoff_expired(clock_wall_us() - m->env.message.arrival_us, lifetime))
		return;
	for (size_t i = 0; i < m->env.nrcpts; i++) {
		struct ipc_rcpt_status *st = &m->env.status[i];

		if (st->kind != RCPT_DEFERRED)
			continue;
		st->kind = RCPT_BOUNCED;
		st->action = STR("failed");
		unstored(m, (uint32_t)i);
		any = true;
	}
	if (any)
		log_qmgr_expired(
		    m->item->id, m->env.sender.address, forced ? "force-expired" : "expired");
}

static bool anything_left(const struct message *m)
{
	for (size_t i = 0; i < m->env.nrcpts; i++) {
		uint32_t kind = m->env.status[i].kind;

		if (kind == RCPT_PENDING || kind == RCPT_DEFERRED)
			return true;
		if (kind == RCPT_BOUNCED && m->report_failed)
			return true;
	}
	return m->report_failed;
}

static uint32_t random_number(void)
{
	static uint32_t pool[64];
	static size_t left;

	if (left == 0)
		left = getrandom(pool, sizeof(pool), 0) == sizeof(pool) ? ARRAY_SIZE(pool) : 1;
	return pool[--left];
}

static int64_t next_attempt_us(const struct message *m)
{
	int64_t now = clock_wall_us();

	return now + backoff_us(now - m->env.message.arrival_us, conf.minimal_backoff_time,
			 conf.maximal_backoff_time, conf.queue_run_delay, random_number());
}

static void moved(void *arg, const struct queue_ref *now, int error)
{
	message_moved(arg, now, error);
}

/* The reports are made: the message ends, or waits for its next attempt. */
static void settle(struct message *m)
{
	struct item *i;

	if (m->super) {
		super_apply(m);
		return;
	}
	if (anything_left(m)) {
		m->next_us = next_attempt_us(m);
		m->stage = STAGE_MOVING;
		move_start(&m->ref, &m->env, "deferred", m->next_us / 1000000 + 1, moved, m);
		return;
	}
	queue_store_finish(qmgr_store, &m->ref);
	log_qmgr_removed(m->item->id);
	i = active_leave(m);
	active_forget(i);
	active_run();
}

void message_reported(struct message *m, bool ok)
{
	m->stage = STAGE_DELIVERING;
	m->report_failed = !ok;
	settle(m);
}

static void deferred(struct message *m, const struct queue_ref *now, int error)
{
	int64_t when = m->next_us;
	struct item *i;

	if (error)
		log_warn(
		    "%s: cannot be moved to the deferred queue: %s", m->ref.id, strerror(error));
	else
		m->ref = *now;
	if (m->super) {
		m->stage = STAGE_DELIVERING;
		super_apply(m);
		return;
	}
	i = active_leave(m);
	i->flags &= (uint8_t)~ITEM_FLUSH;
	retry_add(i, when);
	active_run();
}

static void relocated(struct message *m, const struct queue_ref *now, int error)
{
	m->relocate = false;
	m->stage = STAGE_DELIVERING;
	if (error)
		log_warn("%s: cannot be moved out of the log: %s", m->ref.id, strerror(error));
	else
		m->ref = *now;
	m->cursor = 0; /* those that wait are routed again */
	if (m->super)
		message_progress(m);
	else
		route_add(m);
}

void message_moved(struct message *m, const struct queue_ref *now, int error)
{
	if (m->relocate)
		relocated(m, now, error);
	else
		deferred(m, now, error);
}

/* No recipient is pending in this round any more. */
static void round_end(struct message *m)
{
	if (m->super) {
		settle(m);
		return;
	}
	if (!(m->env.message.flags & MESSAGE_PROBE_REPORT))
		expire(m);
	if (!report_wanted(m)) {
		settle(m);
		return;
	}
	message_store(m);
	m->stage = STAGE_NOTIFYING;
	report_add(m);
}

static bool wants_more(const struct message *m)
{
	return m->cursor < m->env.nrcpts && !m->super && !m->relocate && !service_draining() &&
	       schedule_room(m) > 0;
}

static void look(struct message *m)
{
	if (m->stage != STAGE_DELIVERING)
		return;
	if (m->super || m->relocate)
		schedule_withdraw(m);
	if (wants_more(m)) {
		route_add(m);
		return;
	}
	if (m->busy || m->filed) {
		message_store(m);
		return;
	}
	if (m->super || m->cursor >= m->env.nrcpts) {
		round_end(m);
	} else if (m->relocate) {
		m->stage = STAGE_MOVING;
		move_start(&m->ref, &m->env, "active", 0, moved, m);
	}
}

static void look_all(void *arg)
{
	(void)arg;
	progress_deferred = false;
	while (!list_empty(&progress)) {
		struct message *m = LIST_ITEM(progress.next, struct message, in_progress);

		list_remove(&m->in_progress);
		look(m);
	}
}

void message_progress(struct message *m)
{
	if (!list_empty(&m->in_progress))
		return;
	list_append(&progress, &m->in_progress);
	if (!progress_deferred) {
		progress_deferred = true;
		loop_defer(look_all, NULL);
	}
}

void message_super(struct message *m, char op)
{
	if (op == 'e' || op == 'f') {
		m->item->flags |= ITEM_EXPIRE;
		if (!(m->env.message.flags & MESSAGE_FORCE_EXPIRE) && m->stage != STAGE_READING)
			queue_store_flags(qmgr_store, &m->ref, MESSAGE_FORCE_EXPIRE);
		m->env.message.flags |= MESSAGE_FORCE_EXPIRE;
		return;
	}
	if (m->super == 'd')
		return; /* nothing comes after that */
	m->super = op;
	message_progress(m);
}

void message_relocate(struct message *m)
{
	if (m->stage != STAGE_DELIVERING || m->busy || m->super || m->filed == 0)
		return; /* it will leave the log by itself, or is asked again */
	m->relocate = true;
	m->cursor = 0;
	message_progress(m);
}
