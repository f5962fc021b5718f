/* The loop's event code: timers, deferred calls, signals, watched descriptors, load; idle stacks.
 */
#include "loop/loop.h"
#include "../../lib/tap.h"
#include "loop/co.h"
#include "loop/stream.h"

#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char trace[64];

static void note(void *arg)
{
	strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

static void timers(void *arg)
{
	struct timer a, b, c, d;

	(void)arg;
	timer_init(&a, note, "a");
	timer_init(&b, note, "b");
	timer_init(&c, note, "c");
	timer_init(&d, note, "d");
	timer_set(&c, 30);
	timer_set(&a, 10);
	timer_set(&d, 40);
	timer_set(&b, 60000);
	timer_set(&b, 20);
	timer_stop(&d);
	loop_defer(note, "0");
	co_sleep(60);
	is_cstr(trace, "0abc", "timers fire in order");
	timer_set(&d, 0);
	co_sleep(10);
	is_cstr(trace, "0abcd", "a stopped one can be set again");
	timer_set(&a, 60000);
	timer_free(&a);
	timer_free(&b);
	timer_free(&c);
	timer_free(&d);
	timer_free(&d);
}

static struct cond event;
static int signals, readable;

static void on_signal(int signum, void *arg)
{
	(void)arg;
	signals += signum;
	cond_wake_all(&event);
}

static void on_readable(int fd, void *arg)
{
	char c;

	if (read(fd, &c, 1) == 1)
		readable++;
	cond_wake_all(arg);
}

static void events(void *arg)
{
	struct watch *w;
	int fds[2];

	(void)arg;
	cond_init(&event);
	loop_signal(SIGUSR1, on_signal, NULL);
	raise(SIGUSR1);
	is_int(cond_wait(&event, deadline_in(5000)), WAIT_OK, "a signal wakes");
	is_int(signals, SIGUSR1, "the right one");
	if (pipe(fds) < 0 || write(fds[1], "ab", 2) != 2)
		abort();
	w = watch_readable(fds[0], on_readable, &event);
	cond_wait(&event, deadline_in(5000));
	watch_pause(w, true);
	co_sleep(10);
	is_int(readable, 1, "a paused watch is silent");
	watch_pause(w, false);
	cond_wait(&event, deadline_in(5000));
	is_int(readable, 2, "level-triggered: what was left is told of");
	watch_free(w);
	close(fds[0]);
	close(fds[1]);
}

static void burn(int ms)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static void load(void *arg)
{
	(void)arg;
	co_sleep(1300);
	ok(loop_load() < 50, "an idle loop has no load");
	for (int i = 0; i < 130; i++) {
		burn(10);
		co_sleep(1);
	}
	ok(loop_load() > 60, "a busy loop has");
}

/* Idle sessions: resident memory. */

#define SESSIONS 1000

static int up;

static int use_stack(void)
{
	volatile char room[20000];

	for (size_t i = 0; i < sizeof(room); i += 512)
		room[i] = 1;
	return room[0];
}

static void session(void *arg)
{
	struct stream *s = stream_new(*(int *)arg);
	str line;

	use_stack();
	stream_puts(s, "220 hello\r\n", deadline_in(5000));
	stream_flush(s, deadline_in(5000));
	up++;
	stream_wait_input(s, deadline_in(60000));
	stream_gets(s, 100, &line, deadline_in(5000));
	use_stack();
	stream_free(s);
}

static long resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void idle(void *arg)
{
	static int mine[SESSIONS], theirs[SESSIONS];
	struct scope s;
	long before, used, after;

	(void)arg;
	scope_init(&s);
	for (int i = 0; i < SESSIONS; i++) {
		int fds[2];
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
			ok(true, "# SKIP too few descriptors");
			return;
		}
		mine[i] = fds[0];
		theirs[i] = fds[1];
	}
	before = resident_kib();
	for (int i = 0; i < SESSIONS; i++)
		co_start(&s, "session", session, &theirs[i]);
	while (up < SESSIONS)
		co_sleep(1);
	used = resident_kib() - before;
	co_sleep(1500);
	after = resident_kib() - before;
	printf("# %ld KiB a session, %ld when idle\n", used / SESSIONS, after / SESSIONS);
	ok(after <= used, "idle sessions give memory back");
#ifndef __SANITIZE_ADDRESS__
	ok(after / SESSIONS < 12, "and cost little");
#endif
	for (int i = 0; i < SESSIONS; i++)
		if (write(mine[i], "QUIT\r\n", 6) != 6)
			abort();
	scope_join(&s);
	ok(true, "and can go on");
	for (int i = 0; i < SESSIONS; i++)
		close(mine[i]);
}

static void stopper(void *arg)
{
	(void)arg;
	loop_stop();
	co_sleep(60000);
}

int main(void)
{
	loop_init();
	loop_run(timers, NULL);
	loop_run(events, NULL);
	loop_run(load, NULL);
	loop_run(idle, NULL);
	loop_run(stopper, NULL);
	ok(true, "loop_stop ends the loop");
	return done();
}
