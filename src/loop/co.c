#include "loop/co.h"

#include "base/sanitize.h"
#include "loop/sched.h"
#include "loop/stack.h"

#include <stdio.h>

#define ROUNDS_PER_TURN 4    /* how often woken ones get their turn before I/O is looked at */
#define IDLE_MS		1000 /* when the unused part of a waiting stack is given back */

static struct {
	struct ctx ctx; /* of the loop's own stack */
	void *fake;
	const void *bottom; /* of the loop's stack, for the address sanitizer */
	size_t size;
	struct co *current;
	struct list ready;
	struct list idlers;
	struct due trim;
} sched;

const char *wait_name(enum wait w)
{
	static const char *const names[] = {
	    [WAIT_OK] = "success",
	    [WAIT_TIMEOUT] = "timeout",
	    [WAIT_EOF] = "end of file",
	    [WAIT_ERROR] = "error",
	    [WAIT_CANCEL] = "cancelled",
	    [WAIT_LIMIT] = "size limit",
	};
	return (unsigned)w < ARRAY_SIZE(names) ? names[w] : "unknown";
}

void co_reset(void)
{
	sched.current = NULL;
	list_init(&sched.ready);
	list_init(&sched.idlers);
	sched.trim = (struct due){.fire = co_trim_idle, .weak = true};
}

struct co *co_self(void)
{
	return sched.current;
}

static struct co *self(void)
{
	if (!sched.current)
		loop_panic("a wait outside of a coroutine");
	return sched.current;
}

static void make_ready(struct co *co)
{
	co->state = CO_READY;
	list_append(&sched.ready, &co->link);
	loop_want_turn();
}

/* From the running coroutine to the loop's stack. */
static void leave(struct co *co)
{
	bool last = co->state == CO_DONE;

	sanitize_leave(last ? NULL : &co->fake, sched.bottom, sched.size);
	ctx_switch(&co->ctx, &sched.ctx);
	sanitize_arrive(co->fake, &sched.bottom, &sched.size);
}

static void co_main(void *arg)
{
	struct co *co = arg;

	sanitize_arrive(NULL, &sched.bottom, &sched.size);
	co->fn(co->arg);
	co->state = CO_DONE;
	leave(co);
	loop_panic("a coroutine went on after its end");
}

struct co *co_start(struct scope *s, const char *name, void (*fn)(void *arg), void *arg)
{
	char *low = stack_get();
	struct co *co =
	    (struct co *)(((uintptr_t)low + stack_size() - sizeof(*co)) & ~(uintptr_t)63);

	*co = (struct co){.scope = s, .name = name, .fn = fn, .arg = arg, .stack = low};
	list_init(&co->link);
	list_init(&co->idle);
	list_append(&s->cos, &co->in_scope);
	ctx_make(&co->ctx, low, co, co_main, co);
	make_ready(co);
	return co;
}

static void finish(struct co *co)
{
	struct scope *s = co->scope;

	list_remove(&co->in_scope);
	if (list_empty(&s->cos) && s->ender)
		co_wake(s->ender, WAIT_OK);
#ifdef POSTERN_DEBUG
	if (stack_nearly_full(co->stack))
		fprintf(stderr, "warning: coroutine \"%s\" used most of its stack\n", co->name);
#endif
	stack_put(co->stack);
}

static void resume(struct co *co)
{
	co->state = CO_RUNNING;
	sched.current = co;
	sanitize_leave(&sched.fake, co->stack, stack_size());
	ctx_switch(&sched.ctx, &co->ctx);
	sanitize_arrive(sched.fake, NULL, NULL);
	sched.current = NULL;
	if (co->state == CO_DONE)
		finish(co);
}

bool co_run_some(void)
{
	struct list batch;

	for (int round = 0; round < ROUNDS_PER_TURN && !list_empty(&sched.ready); round++) {
		loop_round();
		/* Who is woken now runs in the next round. */
		list_insert_before(&sched.ready, &batch);
		list_remove(&sched.ready);
		while (!list_empty(&batch)) {
			struct co *co = LIST_ITEM(batch.next, struct co, link);
			list_remove(&co->link);
			resume(co);
		}
	}
	return !list_empty(&sched.ready);
}

void co_wake(struct co *co, enum wait r)
{
	if (co->state != CO_WAITING)
		return;
	co->result = r;
	due_clear(&co->deadline);
	list_remove(&co->idle);
	list_remove(&co->link);
	make_ready(co);
}

static void deadline_passed(struct due *d)
{
	co_wake(CONTAINER_OF(d, struct co, deadline), WAIT_TIMEOUT);
}

enum wait co_park(int64_t deadline)
{
	struct co *co = self();
	enum wait r = WAIT_OK;

	if (co->cancelled && !co->shield)
		r = WAIT_CANCEL;
	else if (deadline != FOREVER && deadline <= loop_now())
		r = WAIT_TIMEOUT;
	if (r != WAIT_OK) {
		list_remove(&co->link);
		list_remove(&co->idle);
		return r;
	}
	co->state = CO_WAITING;
	if (deadline != FOREVER) {
		co->deadline.fire = deadline_passed;
		due_set(&co->deadline, deadline);
	}
	leave(co);
	return co->result;
}

enum wait co_park_idle(int64_t deadline)
{
	struct co *co = self();

	co->idle_since = loop_now();
	list_append(&sched.idlers, &co->idle);
	if (!sched.trim.node.index)
		due_set(&sched.trim, co->idle_since + IDLE_MS);
	return co_park(deadline);
}

void co_trim_idle(struct due *d)
{
	struct co *co;

	while (!list_empty(&sched.idlers)) {
		co = LIST_ITEM(sched.idlers.next, struct co, idle);
		if (co->idle_since + IDLE_MS > loop_now()) {
			due_set(d, co->idle_since + IDLE_MS);
			return;
		}
		list_remove(&co->idle);
		stack_trim(co->stack, co->ctx.sp);
	}
}

void co_park_shielded(void)
{
	struct co *co = self();

	co->shield++;
	co_park(FOREVER);
	co->shield--;
}

void co_cancel(struct co *co)
{
	co->cancelled = true;
	if (!co->shield)
		co_wake(co, WAIT_CANCEL);
}

bool co_cancelled(void)
{
	return sched.current && sched.current->cancelled;
}

void co_shield(bool on)
{
	struct co *co = self();

	if (on)
		co->shield++;
	else if (co->shield > 0)
		co->shield--;
}

enum wait co_sleep(int64_t milliseconds)
{
	/* A time of nought lets the others run all the same. */
	enum wait r = co_park(deadline_in(milliseconds == 0 ? 1 : milliseconds));

	return r == WAIT_TIMEOUT ? WAIT_OK : r;
}

enum wait co_yield (void) {
	struct co *co = self();

	if (co->cancelled && !co->shield) return WAIT_CANCEL;
	co->result = WAIT_OK;
	make_ready(co);
	leave(co);
	return co->cancelled && !co->shield ? WAIT_CANCEL : WAIT_OK;
}

enum wait co_fair(void)
{
	return loop_round_long() ? co_yield () : WAIT_OK;
}

void scope_init(struct scope *s)
{
	list_init(&s->cos);
	s->ender = NULL;
}

static void cancel_all(struct scope *s)
{
	struct co *co;

	LIST_FOREACH (co, &s->cos, struct co, in_scope)
		co_cancel(co);
}

/* Waits for the end of all; if cancelling may reach us here, it goes on to those we wait for. */
static void wait_all(struct scope *s, bool shielded)
{
	if (list_empty(&s->cos))
		return;
	if (self()->scope == s)
		loop_panic("a coroutine waits for the end of its own scope");
	if (s->ender)
		loop_panic("two coroutines wait for the end of one scope");
	s->ender = self();
	while (!list_empty(&s->cos)) {
		if (shielded) {
			co_park_shielded();
		} else if (co_park(FOREVER) == WAIT_CANCEL) {
			cancel_all(s);
			shielded = true;
		}
	}
	s->ender = NULL;
}

void scope_join(struct scope *s)
{
	wait_all(s, false);
}

void scope_end(struct scope *s)
{
	cancel_all(s);
	wait_all(s, true);
}
