/* The system is down: postsuper takes the queue as qmgr would, and does it itself. */
#include "base/clock.h"
#include "base/htab.h"
#include "base/mem.h"
#include "cmd/postsuper/postsuper.h"
#include "ipc/deliver.h"
#include "log/log.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "queue/store.h"
#include "queue/write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct offline {
	struct work *works;
	size_t n;
	struct err *err;
	int result;
	struct queue_store *store;
	struct queue_ref *refs; /* id "" when it is gone */
	size_t nrefs, cap;
	struct htab by_id; /* index + 1 */
};

static void note_found(const struct queue_ref *ref, int64_t next_attempt_s, void *arg)
{
	struct offline *o = arg;

	(void)next_attempt_s;
	if (o->nrefs == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 256;
		o->refs = mem_realloc(o->refs, o->cap * sizeof *o->refs);
	}
	o->refs[o->nrefs++] = *ref;
	htab_set(&o->by_id, str_of(ref->id), (void *)(uintptr_t)o->nrefs);
}

/* --- waiting for the store */

struct waiter {
	struct cond cond;
	bool done;
	int error;
	struct queue_ref now;
};

static void waiter_synced(void *arg, int error)
{
	struct waiter *w = arg;

	w->done = true;
	w->error = error;
	cond_wake_all(&w->cond);
}

static void waiter_moved(void *arg, const struct queue_ref *now, int error)
{
	((struct waiter *)arg)->now = *now;
	waiter_synced(arg, error);
}

static void waiter_wait(struct waiter *w)
{
	while (!w->done)
		cond_wait(&w->cond, FOREVER);
}

static int move(
    struct offline *o, struct queue_ref *ref, const struct envelope *e, const char *queue)
{
	struct waiter w = {0};

	cond_init(&w.cond);
	queue_store_move(o->store, ref, e, queue, clock_wall_us() / 1000000, waiter_moved, &w);
	waiter_wait(&w);
	if (w.error)
		return err_errno(o->err, w.error, "move %s to %s", ref->id, queue);
	*ref = w.now;
	return 0;
}

static int sync_store(struct offline *o)
{
	struct waiter w = {0};

	cond_init(&w.cond);
	queue_store_sync(o->store, waiter_synced, &w);
	waiter_wait(&w);
	return w.error ? err_errno(o->err, w.error, "record what was done") : 0;
}

/* --- operations on one message; 1: done, 0: nothing to do, -1 */

/* Into the maildrop, without the recipients that are done: pickup takes it from there when the
 * system runs. */
static int requeue(
    struct offline *o, struct queue_ref *ref, const struct envelope *e, struct arena *a)
{
	static const uint32_t forget = MESSAGE_WARNED | MESSAGE_FORCE_EXPIRE;
	struct envelope rest = {.message = e->message, .sender = e->sender};

	rest.message.flags &= ~forget;
	for (size_t i = 0; i < e->nattrs; i++)
		if (!str_eq(e->attrs[i].name, STR("content_filter")))
			envelope_add_attr(&rest, a, e->attrs[i].name, e->attrs[i].value);
	for (size_t i = 0; i < e->nrcpts; i++)
		if (e->status[i].kind == RCPT_PENDING || e->status[i].kind == RCPT_DEFERRED)
			envelope_add_rcpt(&rest, a, &e->rcpts[i]);
	if (queue_copy_file("maildrop", ref, 0700, &rest, o->err) < 0)
		return -1;
	queue_store_finish(o->store, ref);
	ref->id[0] = '\0';
	return 1;
}

static int expire(
    struct offline *o, struct work *w, struct queue_ref *ref, struct envelope *e, bool one)
{
	bool held = strcmp(ref->queue, "hold") == 0,
	     fresh = !(e->message.flags & MESSAGE_FORCE_EXPIRE);

	e->message.flags |= MESSAGE_FORCE_EXPIRE;
	if (fresh) {
		queue_store_flags(o->store, ref, MESSAGE_FORCE_EXPIRE);
		w->count++;
		if (one)
			tell(w->op, ref->id);
	}
	if (w->op == OP_EXPIRE || !held)
		return 0;
	if (move(o, ref, e, "deferred") < 0)
		return -1;
	w->released++;
	if (one)
		tell_released(ref->id);
	return 0;
}

static int change(struct offline *o, struct work *w, struct queue_ref *ref, struct envelope *e,
    struct arena *a, bool one)
{
	bool held = strcmp(ref->queue, "hold") == 0;

	switch (w->op) {
	case OP_REQUEUE:
		return requeue(o, ref, e, a);
	case OP_EXPIRE:
	case OP_EXPIRE_RELEASE:
		return expire(o, w, ref, e, one);
	case OP_HOLD:
		return held ? 0 : move(o, ref, e, "hold") < 0 ? -1 : 1;
	case OP_RELEASE:
		return !held ? 0 : move(o, ref, e, "deferred") < 0 ? -1 : 1;
	default:
		return 0;
	}
}

static int operate(struct offline *o, struct work *w, struct queue_ref *ref, bool one)
{
	struct arena a = {0};
	struct envelope e;
	char id[QUEUE_ID_MAX];
	int result = 1;

	if (!ref->id[0] || !(queue_bits(ref->queue) & w->queues))
		return 0;
	memcpy(id, ref->id, sizeof id);
	if (w->op == OP_DELETE) {
		queue_store_finish(o->store, ref);
		ref->id[0] = '\0';
	} else if (queue_read_envelope(ref, &e, &a, o->err) < 0) {
		log_warn("%s", o->err->text);
		result = 0;
	} else {
		result = change(o, w, ref, &e, &a, one);
	}
	arena_free(&a);
	if (result == 1) {
		w->count++;
		if (one)
			tell(w->op, id);
	}
	return result < 0 ? -1 : 0;
}

/* --- */

static int do_work(struct offline *o, struct work *w)
{
	int result = 0;

	for (size_t i = 0; w->all && result == 0 && i < o->nrefs; i++)
		result = operate(o, w, &o->refs[i], false);
	for (size_t at = 0; !w->all && result == 0 && at < w->ids.n;
	     at += strlen(w->ids.p + at) + 1) {
		uintptr_t i = (uintptr_t)htab_get(&o->by_id, str_of(w->ids.p + at));

		if (i)
			result = operate(o, w, &o->refs[i - 1], true);
	}
	return result;
}

static void offline_main(void *arg)
{
	struct offline *o = arg;

	o->store = queue_store_open(note_found, o, o->err);
	if (!o->store) {
		o->result = -1;
		return;
	}
	for (size_t i = 0; i < o->n && o->result == 0; i++)
		if (o->works[i].queues & IN_MESSAGES)
			o->result = do_work(o, &o->works[i]);
	if (o->result == 0)
		o->result = sync_store(o);
	queue_store_close(o->store);
}

int offline_do(struct work *w, size_t n, struct err *err)
{
	struct offline o = {.works = w, .n = n, .err = err};

	loop_run(offline_main, &o);
	htab_free(&o.by_id, NULL);
	free(o.refs);
	return o.result;
}
