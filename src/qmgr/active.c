#include "qmgr/active.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "loop/work.h"
#include "param/param.h"
#include "qmgr/schedule.h"
#include "queue/flight.h"
#include "service/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_BATCH   16
#define READING_MAX  128 /* messages whose envelopes are being read */
#define RETRY_READ_S 60
#define IN_FLIGHT_S  1
#define LATE_MS	     400 /* after the start, for agents to tell what an earlier qmgr did not record */

struct queue_store *qmgr_store;

static struct list incoming = {&incoming, &incoming};
static struct list early = {&early, &early}; /* those that come before all others, in order */
static size_t incoming_count, active, reading;
static ssize_t recipients;
static uint64_t order;
static struct later opening; /* set: not yet */

size_t active_count(void)
{
	return active;
}

size_t active_reading(void)
{
	return reading;
}

void active_recipients(ssize_t more)
{
	recipients += more;
}

static bool has_room(void)
{
	if (service_draining() || later_is_set(&opening) ||
	    active >= (size_t)conf.qmgr_message_active_limit)
		return false;
	return active == 0 || recipients < conf.qmgr_message_recipient_limit;
}

/* The item becomes active. It is in no list or heap. */
static struct message *enter(struct item *i, const struct queue_ref *ref)
{
	struct message *m = mem_zero(sizeof(*m));

	m->ref = *ref;
	if (i->state != ITEM_ACTIVE)
		free(i->ref);
	i->state = ITEM_ACTIVE;
	i->message = m;
	m->item = i;
	m->flush = i->flags & ITEM_FLUSH;
	m->found = i->flags & ITEM_FOUND;
	m->order = ++order;
	m->stage = STAGE_READING;
	list_init(&m->jobs);
	list_init(&m->link);
	list_init(&m->in_progress);
	active++;
	service_busy();
	return m;
}

struct item *active_leave(struct message *m)
{
	struct item *i = m->item;

	if (m->counted)
		recipients -= (ssize_t)m->env.nrcpts;
	schedule_forget(m);
	list_remove(&m->in_progress);
	active--;
	i->state = ITEM_MOVING;
	i->ref = NULL;
	item_set_ref(i, &m->ref);
	arena_free(&m->arena);
	free(m);
	return i;
}

void active_forget(struct item *i)
{
	late_forget(i->id);
	index_remove(i);
}

void active_wait(struct item *i, bool first)
{
	i->state = ITEM_INCOMING;
	list_init(&i->link);
	if (first)
		list_append(&early, &i->link);
	else
		list_append(&incoming, &i->link);
	incoming_count++;
}

void active_unwait(struct item *i)
{
	list_remove(&i->link);
	incoming_count--;
	i->state = ITEM_MOVING;
}

void active_new(const struct queue_ref *ref, str envelope)
{
	struct message *m;
	struct item *i;
	struct err err;

	if (ref->lane == LANE_FILE && strcmp(ref->queue, "hold") == 0)
		return;
	if (!queue_id_valid(str_of(ref->id)) || !queue_store_new(qmgr_store, ref))
		return;
	i = index_add(ref->id, ITEM_INCOMING);
	if (!i)
		return; /* found at start */
	if (!envelope.n || incoming_count || !has_room()) {
		item_set_ref(i, ref);
		active_wait(i, false);
		active_run();
		return;
	}
	m = enter(i, ref);
	if (envelope_decode(&m->env, &m->arena, envelope, &err) == 0) {
		message_start(m);
		return;
	}
	log_warn("%s: announced with a bad envelope: %s", ref->id, err.text);
	i = active_leave(m); /* what the disk has counts */
	active_wait(i, false);
	active_run();
}

void active_found(const struct queue_ref *ref, int64_t next_attempt_s)
{
	bool is_deferred = ref->lane == LANE_FILE && strcmp(ref->queue, "deferred") == 0;
	struct item *i;

	if (ref->lane == LANE_FILE && strcmp(ref->queue, "hold") == 0)
		return;
	i = index_add(ref->id, is_deferred ? ITEM_DEFERRED : ITEM_INCOMING);
	if (!i)
		return;
	i->flags |= ITEM_FOUND;
	item_set_ref(i, ref);
	if (is_deferred)
		retry_add(i, next_attempt_s * INT64_C(1000000));
	else
		active_wait(i, false);
}

/* Envelopes are read in the thread pool, a few at a time. */
struct batch {
	struct message *v[READ_BATCH];
	int error[READ_BATCH];
	struct err why[READ_BATCH];
	int n;
};

static void read_batch(void *arg)
{
	struct batch *b = arg;
	struct err err;

	for (int i = 0; i < b->n; i++) {
		struct message *m = b->v[i];

		b->error[i] = 0;
		if (queue_read_envelope(&m->ref, &m->env, &m->arena, &err) == 0) {
			if (m->found && queue_in_flight(&m->ref))
				b->error[i] = EINPROGRESS;
			continue;
		}
		b->error[i] = err.code ? err.code : EBADMSG;
		b->why[i] = err;
	}
}

/* An agent has it in hand for an earlier qmgr, and will tell us the result. */
static void in_flight(struct message *m)
{
	struct item *i = active_leave(m);

	if (!(i->flags & ITEM_SKIPPED))
		log_qmgr_skipped(i->id);
	i->flags |= ITEM_SKIPPED;
	retry_add(i, clock_wall_us() + IN_FLIGHT_S * INT64_C(1000000));
}

static void read_failed(struct message *m, int error, const char *why)
{
	struct item *i = active_leave(m);
	struct queue_ref ref;

	if (error == ENOENT) {
		active_forget(i);
		return;
	}
	item_ref(i, &ref);
	if (error == EBADMSG) {
		queue_store_corrupt(qmgr_store, &ref, why);
		active_forget(i);
		return;
	}
	log_warn("%s: cannot be read: %s", ref.id, why);
	retry_add(i, clock_wall_us() + RETRY_READ_S * INT64_C(1000000));
}

static void batch_done(void *arg)
{
	struct batch *b = arg;

	for (int i = 0; i < b->n; i++) {
		reading--;
		if (b->error[i] == EINPROGRESS)
			in_flight(b->v[i]);
		else if (b->error[i])
			read_failed(b->v[i], b->error[i], b->why[i].text);
		else
			message_start(b->v[i]);
	}
	free(b);
	active_run();
}

static struct item *next_item(bool deferred_first)
{
	struct item *d = retry_first();

	if (deferred_first && d)
		return d;
	if (!list_empty(&early))
		return LIST_ITEM(early.next, struct item, link);
	if (!list_empty(&incoming))
		return LIST_ITEM(incoming.next, struct item, link);
	return d;
}

void active_run(void)
{
	static bool turn;
	struct batch *b = NULL;

	while (reading < READING_MAX && has_room()) {
		struct item *i = next_item(turn);
		struct queue_ref ref;

		if (!i)
			break;
		turn = !turn;
		if (i->state == ITEM_DEFERRED)
			retry_remove(i);
		else
			active_unwait(i);
		item_ref(i, &ref);
		if (!b)
			b = mem_zero(sizeof(*b));
		b->v[b->n++] = enter(i, &ref);
		reading++;
		if (b->n == READ_BATCH) {
			work_start(read_batch, batch_done, b);
			b = NULL;
		}
	}
	if (b)
		work_start(read_batch, batch_done, b);
}

static void open_now(struct later *l)
{
	(void)l;
	active_run();
}

void active_open(void)
{
	/* With an empty queue there is nothing that an earlier qmgr may have had in hand. */
	later_set(&opening, index_count() > 0 ? LATE_MS : 0, open_now);
}
