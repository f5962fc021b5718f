#include "loop/idle.h"
#include "loop/sched.h"

#define FIRST_MS 5000 /* for the first request of a connection, once we want to end */

struct waiter { /* lives on the stack of the coroutine that waits */
	struct list node;
	struct co *co;
};

static struct list waiters = {&waiters, &waiters};
static bool ending;

enum wait idle_wait(struct stream *s)
{
	struct waiter me = {.co = co_self()};
	int64_t limit = FOREVER;
	enum wait w;

	do {
		if (ending && limit == FOREVER)
			limit = s->bytes_in ? loop_now() : deadline_in(FIRST_MS);
		list_append(&waiters, &me.node);
		w = stream_wait_input(s, limit);
		list_remove(&me.node);
	} while (w == WAIT_TIMEOUT && limit == FOREVER);
	if (w == WAIT_TIMEOUT) /* what the kernel has already is not thrown away */
		w = stream_input_ready(s) ? WAIT_OK : WAIT_CANCEL;
	return w;
}

void idle_end_all(void)
{
	struct waiter *i;

	ending = true;
	LIST_FOREACH (i, &waiters, struct waiter, node) {
		co_wake(i->co, WAIT_TIMEOUT); /* nothing, if it was about to run */
	}
}
