/* Coroutines: a session is a function that reads from top to bottom and waits where it must.
 *
 * Stackful, each on its own mmap'ed stack (CO_STACK_SIZE, guard page below). One OS thread runs
 * them all; a coroutine runs until it waits. Only functions whose comment says "may wait" can let
 * others run: after one of these, shared state is looked at afresh. Waiting is allowed only inside
 * a coroutine.
 *
 * A coroutine belongs to a scope and cannot outlive it: scope_end() cancels what still runs and
 * waits for it. A cancelled coroutine's waits return WAIT_CANCEL at once; it unwinds and returns.
 */
#ifndef POSTERN_LOOP_CO_H
#define POSTERN_LOOP_CO_H

#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

#define CO_STACK_SIZE (256 * 1024) /* reserved; pages are touched as needed */
#define FOREVER	      (-1)	   /* a deadline that never comes */

/* How a wait ended. */
enum wait {
	WAIT_OK = 0,
	WAIT_TIMEOUT, /* the deadline passed */
	WAIT_EOF,     /* the other side closed */
	WAIT_ERROR,   /* errno tells */
	WAIT_CANCEL,  /* the coroutine was cancelled */
	WAIT_LIMIT,   /* a size limit was reached (stream_gets) */
};
const char *wait_name(enum wait w); /* "timeout", "end of file", ... for log lines */

struct co;
struct scope {
	struct list cos;  /* running coroutines of this scope */
	struct co *ender; /* waits in scope_end */
};

void scope_init(struct scope *s);
/* Starts fn(arg) at the next turn of the loop. name is a literal, for diagnostics. The scope must
 * outlive it. Usable from outside of coroutines as well. */
struct co *co_start(struct scope *s, const char *name, void (*fn)(void *arg), void *arg);
/* Waits until every coroutine of the scope has returned; when the waiter is cancelled they are
 * cancelled too, and waited for. May wait. */
void scope_join(struct scope *s);
/* Cancels them, then waits until they have returned. May wait. */
void scope_end(struct scope *s);
/* Cancels one coroutine that has not returned yet: its present and later waits return WAIT_CANCEL.
 */
void co_cancel(struct co *co);
bool co_cancelled(void);  /* of the current one */
struct co *co_self(void); /* NULL outside of coroutines */
void co_shield(
    bool on); /* while on, cancellation of the current coroutine is put off; pairs nest */

/* Deadlines are absolute loop times in milliseconds, or FOREVER. */
int64_t loop_now(void);			    /* monotonic ms, cached per turn of the loop */
int64_t deadline_in(int64_t milliseconds);  /* FOREVER for a negative argument */
int64_t deadline_min(int64_t a, int64_t b); /* the earlier */

enum wait co_sleep(int64_t milliseconds); /* WAIT_OK when over, or WAIT_CANCEL. May wait. */
enum wait co_yield (void);		  /* lets the others run once. May wait. */

/* A wait queue. Wakers may be event callbacks or coroutines; waking never switches at once. */
struct cond {
	struct list waiters;
};
void cond_init(struct cond *c);
enum wait cond_wait(struct cond *c, int64_t deadline); /* WAIT_OK when woken. May wait. */
void cond_wake_one(struct cond *c);
void cond_wake_all(struct cond *c);

/* A counting semaphore: at most n holders at a time, served in order. */
struct sema {
	struct cond cond;
	long free;
};
void sema_init(struct sema *s, long n);
enum wait sema_take(struct sema *s, int64_t deadline); /* May wait. */
void sema_give(struct sema *s);

#endif
