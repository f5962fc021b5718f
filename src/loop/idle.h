/* Waits between requests: what a server does while nobody asks it anything may be cut short when
 * the process wants to end.
 *
 * A server of many requests on one connection (cleanup, the agents, trivial-rewrite) puts its wait
 * for the next request between idle_begin() and idle_end(). When the worker drains, coroutines that
 * are there are cancelled: the wait returns WAIT_CANCEL and the connection is closed; clients of
 * kept connections try again on a fresh one. Sessions that a person or a remote system has with us
 * are never marked idle. */
#ifndef POSTERN_LOOP_IDLE_H
#define POSTERN_LOOP_IDLE_H

#include "loop/co.h"

struct idle { /* lives on the stack of the coroutine that waits */
	struct list node;
	struct co *co;
};
void idle_begin(struct idle
	*i); /* cancels the current coroutine at once when idle_end_all() was called before */
void idle_end(struct idle *i);
/* Cancels the coroutines that are idle now, and from now on those that become so. */
void idle_end_all(void);

#endif
