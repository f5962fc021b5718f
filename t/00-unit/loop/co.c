/* Coroutines: order, deadlines, cancellation, scopes, many of them. */
#include "loop/co.h"
#include "../../lib/tap.h"
#include "loop/loop.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char trace[256];

static void note(const char *what)
{
	strncat(trace, what, sizeof(trace) - strlen(trace) - 1);
}

static void run(void (*fn)(void *))
{
	trace[0] = 0;
	loop_run(fn, NULL);
}

/* Order. */

static struct cond go;

static void say(void *arg)
{
	note(arg);
	co_yield ();
	note(arg);
}

static void order(void *arg)
{
	struct scope s;

	(void)arg;
	scope_init(&s);
	co_start(&s, "a", say, "a");
	co_start(&s, "b", say, "b");
	note("0");
	scope_join(&s);
	note("1");
}

static void wait_and_say(void *arg)
{
	if (cond_wait(&go, FOREVER) == WAIT_OK)
		note(arg);
}

static void waking(void *arg)
{
	struct scope s;

	(void)arg;
	scope_init(&s);
	cond_init(&go);
	co_start(&s, "a", wait_and_say, "a");
	co_start(&s, "b", wait_and_say, "b");
	co_start(&s, "c", wait_and_say, "c");
	co_yield ();
	cond_wake_one(&go);
	note("-");
	co_yield ();
	cond_wake_all(&go);
	note("+");
	scope_join(&s);
}

/* Deadlines. */

static void deadlines(void *arg)
{
	struct cond never;
	int64_t start = loop_now();

	(void)arg;
	cond_init(&never);
	is_int(cond_wait(&never, deadline_in(30)), WAIT_TIMEOUT, "a wait ends at its deadline");
	ok(loop_now() - start >= 30, "not before it");
	ok(list_empty(&never.waiters), "and leaves the queue");
	is_int(cond_wait(&never, loop_now() - 5), WAIT_TIMEOUT, "a deadline in the past");
	is_int(co_sleep(1), WAIT_OK, "a sleep ends well");
	is_int(deadline_in(-1), FOREVER, "a negative time is for ever");
	is_int(deadline_in(INT64_MAX), FOREVER, "so is one beyond all numbers");
	is_int(deadline_min(FOREVER, 5), 5, "the earlier of never and 5");
	is_int(deadline_min(7, 5), 5, "the earlier of 7 and 5");
	is_int(deadline_min(FOREVER, FOREVER), FOREVER, "the earlier of never and never");
}

/* Cancellation. */

struct result {
	enum wait first, second;
	bool over;
};

static void sleeper(void *arg)
{
	struct result *r = arg;

	r->first = co_sleep(60000);
	r->second = co_yield ();
	r->over = true;
}

static void shielded(void *arg)
{
	struct result *r = arg;

	co_shield(true);
	co_shield(true);
	r->first = co_sleep(30);
	co_shield(false);
	co_sleep(1);
	co_shield(false);
	r->second = co_sleep(60000);
	r->over = true;
}

static void cancelling(void *arg)
{
	struct result a = {0}, b = {0}, c = {0};
	struct scope s;
	struct co *co;

	(void)arg;
	scope_init(&s);
	co_start(&s, "sleeper", sleeper, &a);
	co_yield ();
	scope_end(&s);
	ok(a.over && a.first == WAIT_CANCEL, "scope_end cancels a wait");
	is_int(a.second, WAIT_CANCEL, "later waits are cancelled too");

	co = co_start(&s, "unborn", sleeper, &b);
	co_cancel(co);
	scope_join(&s);
	ok(b.over && b.first == WAIT_CANCEL, "who is cancelled before the start runs all the same");

	co = co_start(&s, "shielded", shielded, &c);
	co_yield ();
	co_cancel(co);
	scope_end(&s);
	ok(c.over && c.first == WAIT_OK, "a shield puts cancellation off");
	is_int(c.second, WAIT_CANCEL, "but not for ever");
}

static void parent(void *arg)
{
	struct result *r = arg;
	struct scope s;

	scope_init(&s);
	co_start(&s, "child", sleeper, r);
	scope_join(&s);
	r->over = r->over && co_cancelled();
}

static void propagation(void *arg)
{
	struct result r = {0};
	struct scope s;

	(void)arg;
	scope_init(&s);
	co_start(&s, "parent", parent, &r);
	co_yield ();
	co_yield ();
	scope_end(&s);
	ok(r.over && r.first == WAIT_CANCEL, "a joiner that is cancelled takes its children along");
}

/* Cancelled at the moment of waking: what was handed over is not lost. */
static struct sema sem;
static int holders, most, served;

static void take_turn(void *arg)
{
	(void)arg;
	if (sema_take(&sem, FOREVER) != WAIT_OK)
		return;
	if (++holders > most)
		most = holders;
	co_sleep(1);
	holders--;
	served++;
	sema_give(&sem);
}

static void semaphore(void *arg)
{
	struct co *victim;
	struct scope s;

	(void)arg;
	scope_init(&s);
	sema_init(&sem, 2);
	for (int i = 0; i < 9; i++)
		co_start(&s, "turn", take_turn, NULL);
	victim = co_start(&s, "victim", take_turn, NULL);
	co_yield ();
	co_yield ();
	co_cancel(victim);
	is_int(sema_take(&sem, deadline_in(1)), WAIT_TIMEOUT, "no place free in time");
	scope_join(&s);
	is_int(most, 2, "no more holders than places");
	is_int(served, 9, "everybody who was not cancelled had its turn");
	is_int(sem.free, 2, "all places are free again");
}

/* Many, and deep. */
static long woken;

static int deep(int n)
{
	volatile char room[256];

	room[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + room[0] - room[0] + 1;
}

static void one_of_many(void *arg)
{
	double x = 0.5;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		co_sleep(i);
		x = x * 2 + 1; /* floating point survives a switch */
	}
	if (deep(50) == 50 && x == 11.0)
		woken++;
}

static void many(void *arg)
{
	struct scope s;

	(void)arg;
	scope_init(&s);
	for (int i = 0; i < 10000; i++)
		co_start(&s, "one of many", one_of_many, NULL);
	scope_join(&s);
	is_int(woken, 10000, "10000 coroutines at once");
	for (int i = 0; i < 10000; i++) {
		co_start(&s, "one after another", one_of_many, NULL);
		if (i % 500 == 0)
			scope_end(&s);
	}
	scope_end(&s);
	ok(woken > 10000 && woken <= 20000, "and again, on used stacks");
}

/* A waker never starves I/O and timers. */
static bool stop_spinning;

static void spin(void *arg)
{
	(void)arg;
	while (!stop_spinning)
		co_yield ();
}

static void fairness(void *arg)
{
	struct scope s;

	(void)arg;
	scope_init(&s);
	co_start(&s, "spin", spin, NULL);
	co_sleep(5);
	stop_spinning = true;
	scope_join(&s);
	ok(true, "a timer comes through while others spin");
}

static void forever(void *arg)
{
	struct cond never;

	(void)arg;
	cond_init(&never);
	cond_wait(&never, FOREVER);
	ok(false, "nobody wakes this one");
}

static void exit_child(void *arg)
{
	(void)arg;
	co_sleep(2);
	_exit(7);
}

static void fork_in_loop(void *arg)
{
	int status = 0;
	pid_t pid;

	(void)arg;
	co_sleep(1);
	pid = fork();
	if (pid == 0) {
		loop_init();
		loop_run(exit_child, NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	is_int(WEXITSTATUS(status), 7, "a forked child has a loop of its own");
	is_int(co_sleep(2), WAIT_OK, "its parent goes on");
}

static struct scope outside;

/* The signal that ends a process whose main coroutine waits for nothing. */
static int deadlock(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		loop_init();
		loop_run(forever, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	loop_init();
	run(order);
	is_cstr(trace, "0abab1", "coroutines take turns");
	run(waking);
	is_cstr(trace, "-a+bc", "the woken run later, in order");
	run(deadlines);
	run(cancelling);
	run(propagation);
	run(semaphore);
	run(many);
	run(fairness);
	run(fork_in_loop);
	scope_init(&outside);
	trace[0] = 0;
	co_start(&outside, "outside", say, "x");
	loop_run(say, "y");
	is_cstr(trace, "xyxy", "co_start outside of coroutines");
	is_cstr(wait_name(WAIT_EOF), "end of file", "names of outcomes");
	ok(!co_self(), "no coroutine out here");
	is_int(deadlock(), SIGABRT, "who waits when there is nothing to wait for is no good end");
	return done();
}
