#include "loop/loop.h"

#include "base/mem.h"
#include "loop/co.h"
#include "loop/sched.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOAD_WINDOW_NS 1000000000u
#define PAUSE_NS       5000u	/* a shorter stay in the kernel is work, not idleness */
#define LONG_ROUND_NS  5000000u /* whoever can go on without waiting lets others run after this */
#define SIGNALS	       65

struct deferred {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct handler {
	uv_signal_t handle;
	void (*fn)(int signum, void *arg);
	void *arg;
};

static struct {
	uv_loop_t *uv;
	pid_t pid; /* whose loop it is */
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;
	bool idle_on;
	struct list deferred;
	struct scope root;
	bool stopped; /* loop_stop() */
	/* deadlines */
	struct heap dues;
	size_t weak;
	uv_timer_t timer;
	uint64_t timer_at; /* loop time for which timer is set; 0: not set */
	/* load, in nanoseconds */
	uint64_t sleep_start, round_start, window_start, window_idle;
	int load;
	struct handler *signals[SIGNALS];
} lp;

void loop_panic(const char *what)
{
	struct co *co = co_self();

	fprintf(
	    stderr, "panic: loop: %s%s%s\n", what, co ? " in coroutine " : "", co ? co->name : "");
	abort();
}

uv_loop_t *loop_get(void)
{
	if (!lp.uv)
		loop_panic("loop_init() was not called");
	return lp.uv;
}

uv_loop_t *loop_uv(void)
{
	return loop_get();
}

/* Ready coroutines and deferred calls. */

static void nothing(uv_idle_t *h)
{
	(void)h;
}

void loop_want_turn(void)
{
	if (!lp.idle_on) {
		uv_idle_start(&lp.idle, nothing);
		lp.idle_on = true;
	}
}

static void run_deferred(void)
{
	struct list batch;

	if (list_empty(&lp.deferred))
		return;
	list_insert_before(&lp.deferred, &batch);
	list_remove(&lp.deferred);
	while (!list_empty(&batch)) {
		struct deferred *d = LIST_ITEM(batch.next, struct deferred, link);
		list_remove(&d->link);
		d->fn(d->arg);
		free(d);
	}
}

void loop_defer(void (*fn)(void *arg), void *arg)
{
	struct deferred *d = mem_alloc(sizeof(*d));

	loop_get();
	*d = (struct deferred){.fn = fn, .arg = arg};
	list_append(&lp.deferred, &d->link);
	loop_want_turn();
}

static void run_turn(void)
{
	run_deferred();
	if (!co_run_some() && list_empty(&lp.deferred) && lp.idle_on) {
		uv_idle_stop(&lp.idle);
		lp.idle_on = false;
	}
}

void loop_round(void)
{
	lp.round_start = uv_hrtime();
}

bool loop_round_long(void)
{
	return uv_hrtime() - lp.round_start > LONG_ROUND_NS;
}

/* Load: what is not spent sleeping between prepare and check. */

static void close_window(uint64_t now)
{
	uint64_t length = now - lp.window_start;

	if (length < LOAD_WINDOW_NS)
		return;
	lp.load = lp.window_idle >= length ? 0 : (int)(100 - lp.window_idle * 100 / length);
	lp.window_start = now;
	lp.window_idle = 0;
}

static void on_prepare(uv_prepare_t *h)
{
	(void)h;
	run_turn();
	lp.sleep_start = uv_hrtime();
}

static void on_check(uv_check_t *h)
{
	uint64_t now = uv_hrtime(), slept = now - lp.sleep_start;

	(void)h;
	if (slept > PAUSE_NS)
		lp.window_idle += slept;
	close_window(now);
	run_turn();
}

int loop_load(void)
{
	loop_get();
	close_window(uv_hrtime());
	return lp.load;
}

/* Deadlines: one heap, one timer of libuv's. */

static void on_timer(uv_timer_t *h);

static void set_timer(void)
{
	struct heap_node *min = heap_min(&lp.dues);
	uint64_t now = uv_now(lp.uv);

	if (lp.dues.n > lp.weak)
		uv_ref((uv_handle_t *)&lp.timer);
	else
		uv_unref((uv_handle_t *)&lp.timer);
	/* When the earliest was taken back the timer stays: it finds nothing due, and is set anew.
	 */
	if (!min || (lp.timer_at && lp.timer_at <= min->key))
		return;
	lp.timer_at = min->key;
	uv_timer_start(&lp.timer, on_timer, min->key > now ? min->key - now : 0, 0);
}

static void on_timer(uv_timer_t *h)
{
	uint64_t now = uv_now(lp.uv);
	struct heap_node *min;
	struct due *d;

	(void)h;
	lp.timer_at = 0;
	while ((min = heap_min(&lp.dues)) && min->key <= now) {
		d = CONTAINER_OF(min, struct due, node);
		due_clear(d);
		d->fire(d);
	}
	set_timer();
}

void due_set(struct due *d, int64_t when)
{
	due_clear(d);
	d->node.key = when > 0 ? (uint64_t)when : 0;
	heap_add(&lp.dues, &d->node);
	lp.weak += d->weak;
	set_timer();
}

void due_clear(struct due *d)
{
	if (!d->node.index)
		return;
	heap_remove(&lp.dues, &d->node);
	lp.weak -= d->weak;
	if (lp.dues.n == lp.weak)
		uv_unref((uv_handle_t *)&lp.timer);
}

int64_t loop_now(void)
{
	return (int64_t)uv_now(loop_get());
}

int64_t deadline_in(int64_t milliseconds)
{
	int64_t at;

	if (milliseconds < 0 || __builtin_add_overflow(loop_now(), milliseconds, &at))
		return FOREVER;
	return at;
}

int64_t deadline_min(int64_t a, int64_t b)
{
	if (a == FOREVER)
		return b;
	return b == FOREVER || a < b ? a : b;
}

/* Timers for event code. */

struct timer_impl {
	struct due due;
	struct timer *timer;
};

static void timer_fire(struct due *d)
{
	struct timer *t = CONTAINER_OF(d, struct timer_impl, due)->timer;

	t->fn(t->arg);
}

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	struct timer_impl *impl = mem_zero(sizeof(*impl));

	impl->due.fire = timer_fire;
	impl->timer = t;
	*t = (struct timer){impl, fn, arg};
}

void timer_set(struct timer *t, int64_t milliseconds)
{
	struct timer_impl *impl = t->impl;
	int64_t at = deadline_in(milliseconds > 0 ? milliseconds : 1);

	if (at == FOREVER)
		due_clear(&impl->due);
	else
		due_set(&impl->due, at);
}

void timer_stop(struct timer *t)
{
	struct timer_impl *impl = t->impl;

	if (impl)
		due_clear(&impl->due);
}

void timer_free(struct timer *t)
{
	timer_stop(t);
	free(t->impl);
	t->impl = NULL;
}

/* Signals. */

static void on_signal(uv_signal_t *h, int signum)
{
	struct handler *s = CONTAINER_OF(h, struct handler, handle);

	s->fn(signum, s->arg);
}

void loop_signal(int signum, void (*fn)(int signum, void *arg), void *arg)
{
	struct handler *s;

	if (signum < 1 || signum >= SIGNALS)
		loop_panic("loop_signal: bad signal number");
	s = lp.signals[signum];
	if (!s) {
		s = lp.signals[signum] = mem_zero(sizeof(*s));
		uv_signal_init(loop_get(), &s->handle);
		uv_unref((uv_handle_t *)&s->handle);
		if (uv_signal_start(&s->handle, on_signal, signum) < 0)
			loop_panic("loop_signal: the system refuses");
	}
	s->fn = fn;
	s->arg = arg;
}

/* Start and end. */

/* The child of a fork must not touch what it shares with its parent: the parent's epoll set and its
 * signal pipe. The old loop is made harmless and left alone: its handles belong to code that will
 * not run again. */
static void abandon(void)
{
	uv_loop_fork(lp.uv);
	for (int i = 0; i < SIGNALS; i++)
		if (lp.signals[i])
			uv_signal_stop(&lp.signals[i]->handle);
	heap_free(&lp.dues);
}

void loop_init(void)
{
	if (lp.uv && lp.pid == getpid())
		return;
	if (lp.uv)
		abandon();
	memset(&lp, 0, sizeof(lp));
	lp.pid = getpid();
	lp.uv = mem_zero(sizeof(*lp.uv));
	if (uv_loop_init(lp.uv) < 0)
		loop_panic("no event loop");
	list_init(&lp.deferred);
	scope_init(&lp.root);
	uv_prepare_init(lp.uv, &lp.prepare);
	uv_check_init(lp.uv, &lp.check);
	uv_idle_init(lp.uv, &lp.idle);
	uv_timer_init(lp.uv, &lp.timer);
	uv_prepare_start(&lp.prepare, on_prepare);
	uv_check_start(&lp.check, on_check);
	uv_unref((uv_handle_t *)&lp.prepare);
	uv_unref((uv_handle_t *)&lp.check);
	uv_unref((uv_handle_t *)&lp.timer);
	lp.window_start = lp.sleep_start = lp.round_start = uv_hrtime();
	co_reset();
	proc_reset();
	signal(SIGPIPE, SIG_IGN);
}

/* A main coroutine that waits while nothing is left that could wake it: a deadlock, which would
 * otherwise look like a good end. */
static void check_end(void)
{
#ifdef POSTERN_DEBUG
	if (!lp.stopped && !list_empty(&lp.root.cos))
		loop_panic("the loop has ended, but the main coroutine waits");
#endif
}

void loop_run(void (*main)(void *arg), void *arg)
{
	loop_get();
	lp.stopped = false;
	co_start(&lp.root, "main", main, arg);
	uv_run(lp.uv, UV_RUN_DEFAULT);
	check_end();
}

void loop_stop(void)
{
	lp.stopped = true;
	uv_stop(loop_get());
}
