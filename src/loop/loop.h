/* The event loop of a process: a thin layer over libuv. Everything else of src/loop runs on it. */
#ifndef POSTERN_LOOP_LOOP_H
#define POSTERN_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct uv_loop_s uv_loop_t;

/* Prepares the loop; once per process, before anything else of src/loop (and again in a forked
 * child that goes on with loops). */
void loop_init(void);
/* Runs main(arg) as the first coroutine, and the loop until loop_stop() or nothing is left to wait
 * for. In debug builds it is a panic when main() waits then: nobody can wake it. */
void loop_run(void (*main)(void *arg), void *arg);
void loop_stop(void);
uv_loop_t *loop_uv(void); /* for modules that bring libuv handles of their own (src/dns) */

/* Share of the last second or so that this loop was busy, 0 to 100. */
int loop_load(void);

/* Timers for event code; coroutines use deadlines. The callback runs on the loop's stack and must
 * not wait. */
struct timer {
	void *impl;
	void (*fn)(void *arg);
	void *arg;
};
void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
void timer_set(struct timer *t, int64_t milliseconds); /* once; replaces an earlier setting */
void timer_stop(struct timer *t);
void timer_free(struct timer *t);

/* fn(arg) at the next turn of the loop. */
void loop_defer(void (*fn)(void *arg), void *arg);

/* Signals: fn runs as event code. */
void loop_signal(int signum, void (*fn)(int signum, void *arg), void *arg);

/* Watches a descriptor for reading as event code (listening sockets, datagrams); level-triggered.
 */
struct watch;
struct watch *watch_readable(int fd, void (*fn)(int fd, void *arg), void *arg);
void watch_pause(struct watch *w, bool paused);
void watch_free(struct watch *w); /* does not close the descriptor */

#endif
