/* What postsuper asks for: delete, hold, release, requeue, expire. */
#include "base/clock.h"
#include "log/log.h"
#include "loop/work.h"
#include "param/param.h"
#include "qmgr/active.h"
#include "qmgr/requeue.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TOGETHER   16 /* messages of an operation on all */
#define BUSY_MS	   20 /* between looks at a message that is being moved */
#define BUSY_LOOKS 500

/* A message that is in no queue of ours while this runs: its item is ITEM_MOVING (NULL: it was on
 * hold). */
struct operation {
	struct item *item;
	char op;
	struct queue_ref ref;
	struct arena arena;
	struct envelope env;
	bool read; /* env is there */
	int error;
	struct err err;
	struct cond *moved;
};

static void read_it(void *arg)
{
	struct operation *o = arg;

	o->error = queue_read_envelope(&o->ref, &o->env, &o->arena, &o->err);
}

static int need_envelope(struct operation *o)
{
	if (!o->read)
		work_run(read_it, o);
	o->read = o->error == 0;
	return o->error;
}

static void moved(void *arg, const struct queue_ref *now, int error)
{
	struct operation *o = arg;

	if (error)
		err_errno(&o->err, error, "move");
	else
		o->ref = *now;
	o->error = error ? -1 : 0;
	cond_wake_all(o->moved);
}

/* May wait. */
static int move_to(struct operation *o, const char *queue)
{
	struct cond done;

	if (need_envelope(o) < 0)
		return -1;
	cond_init(&done);
	o->moved = &done;
	co_shield(true);
	o->error = 1;
	move_start(&o->ref, &o->env, queue, clock_wall_us() / 1000000, moved, o);
	while (o->error == 1)
		cond_wait(&done, FOREVER);
	co_shield(false);
	return o->error;
}

static void finish(struct operation *o)
{
	queue_store_finish(qmgr_store, &o->ref);
	if (o->item)
		active_forget(o->item);
	o->item = NULL;
}

static int do_hold(struct operation *o)
{
	if (!o->item)
		return 1; /* it is there */
	if (move_to(o, "hold") < 0)
		return -1;
	active_forget(o->item);
	o->item = NULL;
	return 0;
}

static int do_release(struct operation *o)
{
	if (o->item)
		return 1; /* not on hold */
	if (move_to(o, "deferred") < 0)
		return -1;
	o->item = index_add(o->ref.id, ITEM_MOVING);
	if (o->item)
		item_set_ref(o->item, &o->ref);
	return 0;
}

static int do_expire_release(struct operation *o)
{
	if (need_envelope(o) < 0)
		return -1;
	o->env.message.flags |= MESSAGE_FORCE_EXPIRE;
	queue_store_flags(qmgr_store, &o->ref, MESSAGE_FORCE_EXPIRE);
	if (do_release(o) != 0)
		return -1;
	if (o->item)
		o->item->flags |= ITEM_EXPIRE;
	return 0;
}

static int do_requeue(struct operation *o)
{
	if (need_envelope(o) < 0 || requeue_message(&o->ref, &o->env, &o->err) < 0)
		return -1;
	finish(o);
	return 0;
}

/* The message goes back to where it waits; one whose hold was ended is tried soon. */
static void put_back(struct operation *o, bool now)
{
	struct item *i = o->item;

	if (!i)
		return;
	free(i->ref);
	i->ref = NULL;
	if (o->ref.lane == LANE_FILE && strcmp(o->ref.queue, "deferred") == 0) {
		int64_t wait = now ? 0 : conf.minimal_backoff_time * INT64_C(1000000);

		i->state = ITEM_DEFERRED;
		item_set_ref(i, &o->ref);
		retry_add(i, clock_wall_us() + wait);
	} else {
		item_set_ref(i, &o->ref);
		active_wait(i, true);
	}
	active_run();
}

/* 0: done; 1: nothing to do; -1: o->err. May wait. */
static int operate(struct operation *o)
{
	int r = -1;

	switch (o->op) {
	case 'd':
		finish(o);
		r = 0;
		break;
	case 'h':
		r = do_hold(o);
		break;
	case 'H':
		r = do_release(o);
		break;
	case 'r':
		r = do_requeue(o);
		break;
	case 'e': /* of held ones; the others are never taken out for it */
		queue_store_flags(qmgr_store, &o->ref, MESSAGE_FORCE_EXPIRE);
		r = 0;
		break;
	case 'f':
		r = do_expire_release(o);
		break;
	}
	put_back(o, o->op == 'H' || o->op == 'f');
	arena_free(&o->arena);
	return r;
}

static void operate_active(void *arg)
{
	struct operation *o = arg;

	if (operate(o) < 0)
		log_warn("%s: %s", o->ref.id, o->err.text);
	free(o);
}

void super_apply(struct message *m)
{
	struct operation *o = mem_zero(sizeof(*o));

	o->op = m->super;
	o->ref = m->ref;
	o->env = m->env;
	o->arena = m->arena;
	o->read = true;
	m->arena = (struct arena){0}; /* lives on in the operation, with the envelope */
	o->item = active_leave(m);
	co_start(service_scope(), "super", operate_active, o);
	active_run();
}

/* --- by name */

static bool is_held(const char *id)
{
	struct buf path = {0};
	bool there;

	queue_path(&path, "hold", id);
	there = access(buf_text(&path), F_OK) == 0;
	buf_free(&path);
	return there;
}

static int on_held(char op, const char *id, struct err *err)
{
	struct operation o = {.op = op, .ref = {.lane = LANE_FILE, .queue = "hold"}};
	int r;

	if (!is_held(id))
		return 1;
	memcpy(o.ref.id, id, strlen(id) + 1);
	r = operate(&o);
	if (r < 0)
		*err = o.err;
	return r;
}

static int on_active(char op, struct message *m)
{
	if (op == 'H')
		return 1;
	message_super(m, op);
	return 0;
}

static int on_waiting(char op, struct item *i, struct err *err)
{
	struct operation o = {.item = i, .op = op};
	int r;

	if (op == 'H')
		return 1;
	if (op == 'e' || op == 'f') {
		item_ref(i, &o.ref);
		i->flags |= ITEM_EXPIRE;
		queue_store_flags(qmgr_store, &o.ref, MESSAGE_FORCE_EXPIRE);
		return 0;
	}
	if (i->state == ITEM_DEFERRED)
		retry_remove(i);
	else
		active_unwait(i);
	item_ref(i, &o.ref);
	r = operate(&o);
	if (r < 0)
		*err = o.err;
	return r;
}

/* 0: done; 1: no such message, or nothing to do; -1: err. May wait. */
static int on_one(char op, const char *id, struct err *err)
{
	for (int looks = 0; looks < BUSY_LOOKS; looks++) {
		struct item *i = index_find(id);

		if (!i)
			return on_held(op, id, err);
		if (i->state == ITEM_ACTIVE)
			return on_active(op, i->message);
		if (i->state != ITEM_MOVING)
			return on_waiting(op, i, err);
		if (co_sleep(BUSY_MS) != WAIT_OK)
			break;
	}
	return err_errno(err, EBUSY, "%s", id);
}

/* --- all of some queues */

struct all {
	char op;
	struct buf names; /* each with its NUL */
	size_t at;
	uint64_t count;
	int failed;
	struct err err;
	str queues;
};

static bool is_wanted(const struct all *a, const char *queue)
{
	str rest = a->queues, word;

	if (!a->queues.n)
		return a->op == 'H' ? !strcmp(queue, "hold")
				    : a->op != 'h' || strcmp(queue, "hold") != 0;
	while (str_word(&rest, " ", &word))
		if (str_eq(word, str_of(queue)))
			return true;
	return false;
}

static void collect(struct item *i, void *arg)
{
	static const char *const queue[] = {"incoming", "active", "deferred", "deferred"};
	struct all *a = arg;

	if (is_wanted(a, queue[i->state]))
		buf_add(&a->names, i->id, strlen(i->id) + 1);
}

static bool collect_held(const struct queue_ref *ref, void *arg)
{
	struct all *a = arg;

	buf_add(&a->names, ref->id, strlen(ref->id) + 1);
	return true;
}

static void scan_held(void *arg)
{
	struct all *a = arg;

	queue_scan("hold", collect_held, a, NULL);
}

static void some_of_all(void *arg)
{
	struct all *a = arg;
	struct err err;

	while (a->at < a->names.n && !co_cancelled()) {
		char id[QUEUE_ID_MAX];
		size_t n = strlen(a->names.p + a->at) + 1;
		int r;

		memcpy(id, a->names.p + a->at, n);
		a->at += n;
		r = on_one(a->op, id, &err);
		if (r == 0)
			a->count++;
		if (r < 0 && !a->failed++)
			a->err = err;
		if (a->count % 256 == 255)
			co_yield ();
	}
}

static int on_all(char op, str queues, uint64_t *count, struct err *err)
{
	struct all *a = mem_zero(sizeof(*a));
	struct scope scope;
	int r;

	a->op = op;
	a->queues = queues;
	index_each(collect, a);
	if (is_wanted(a, "hold"))
		work_run(scan_held, a);
	scope_init(&scope);
	for (int i = 0; i < TOGETHER; i++)
		co_start(&scope, "super", some_of_all, a);
	scope_join(&scope);
	*count = a->count;
	r = a->failed ? -1 : 0;
	if (r < 0)
		*err = a->err;
	buf_free(&a->names);
	free(a);
	return r;
}

struct settling {
	struct cond done;
	bool over;
};

static void settled(void *arg, int error)
{
	struct settling *s = arg;

	(void)error; /* what could not be written is kept, and tried again */
	s->over = true;
	cond_wake_all(&s->done);
}

/* Marks are written a little later: whoever asked for them looks at the queue next. May wait. */
static void settle(void)
{
	struct settling s = {0};

	cond_init(&s.done);
	co_shield(true);
	queue_store_sync(qmgr_store, settled, &s);
	while (!s.over)
		cond_wait(&s.done, FOREVER);
	co_shield(false);
}

static int one_or_all(char op, str id, str queues, uint64_t *count, struct err *err)
{
	char name[QUEUE_ID_MAX];
	int r;

	if (str_eq(id, STR("ALL")))
		return on_all(op, queues, count, err);
	if (!queue_id_valid(id) || id.n >= sizeof(name))
		return err_errno(err, EINVAL, "queue ID");
	memcpy(name, id.p, id.n);
	name[id.n] = 0;
	r = on_one(op, name, err);
	*count = r == 0;
	return r < 0 ? -1 : 0;
}

int super_do(str op, str id, str queues, uint64_t *count, struct err *err)
{
	int r;

	*count = 0;
	if (op.n != 1 || !strchr("dhHref", *op.p))
		return err_errno(err, EINVAL, "operation \"%.*s\"", STR_FMT(op));
	r = one_or_all(*op.p, id, queues, count, err);
	if (*count && strchr("ef", *op.p))
		settle();
	return r;
}
