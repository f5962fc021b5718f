/* What the modules of src/loop share: the loop's state, parking and waking, the heap of deadlines.
 * Private to src/loop. */
#ifndef POSTERN_LOOP_SCHED_H
#define POSTERN_LOOP_SCHED_H

#include "base/heap.h"
#include "loop/co.h"
#include "loop/ctx.h"
#include <uv.h>

/* Something that happens at a time. */
struct due {
	struct heap_node node; /* key: loop time, ms */
	void (*fire)(struct due *d);
	bool weak; /* does not keep the loop running */
};
void due_set(struct due *d, int64_t when); /* replaces an earlier setting */
void due_clear(struct due *d);

enum co_state { CO_READY, CO_RUNNING, CO_WAITING, CO_DONE };

/* Lies at the top of its own stack. */
struct co {
	struct ctx ctx;
	struct list link;     /* in the run queue or in a cond */
	struct list in_scope; /* in scope->cos */
	struct scope *scope;
	struct due deadline;
	struct list idle; /* in the list of those that wait for input, oldest first */
	int64_t idle_since;
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	void *stack; /* lowest byte */
	void *fake;  /* the address sanitizer's */
	enum co_state state;
	enum wait result;
	unsigned shield;
	bool cancelled;
};

/* Parks the current coroutine until co_wake(), its deadline, or cancellation. Whoever is to wake it
 * has got its address before. Whatever list its link was in, it is in none afterwards. */
enum wait co_park(int64_t deadline);
/* The same for long waits: the unused part of the stack is given back after a second. */
enum wait co_park_idle(int64_t deadline);
/* Parks without being cancelled. */
void co_park_shielded(void);
/* Makes a parked coroutine ready, its park returning r; nothing when it is not parked. */
void co_wake(struct co *co, enum wait r);

void co_reset(void);	/* forgets every coroutine: in a forked child */
bool co_run_some(void); /* runs what is ready; true when something is ready still */
void co_trim_idle(struct due *d);

/* For those that could go on for long without waiting: lets others run when this turn has lasted
 * some milliseconds. WAIT_OK, or WAIT_CANCEL. */
enum wait co_fair(void);

void loop_want_turn(void); /* the loop must not sleep: something is ready */
void loop_round(void);	   /* a round of the run queue begins */
bool loop_round_long(void);
uv_loop_t *loop_get(void); /* aborts when loop_init() was not called */
_Noreturn void loop_panic(const char *what);

void proc_reset(void);	      /* in a forked child */
void proc_close_others(void); /* descriptors from 3 on */

#endif
