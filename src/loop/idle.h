/* The wait of a server for the next request of a client that keeps its connection (cleanup, the
 * agents, trivial-rewrite): it may be cut short when the process wants to end. Clients of kept
 * connections try again on a fresh one. Sessions that a person or a remote system has with us never
 * wait so. */
#ifndef POSTERN_LOOP_IDLE_H
#define POSTERN_LOOP_IDLE_H

#include "loop/stream.h"

/* WAIT_OK: input is there, or the connection's end. WAIT_CANCEL: the coroutine was cancelled, or
 * idle_end_all() was called and nothing has come yet. A connection that nothing was read from so
 * far is given a moment even then: its client is about to speak, and would not try again. May
 * wait. */
enum wait idle_wait(struct stream *s);
/* Ends those waits, and from now on those that would begin. A request that has come already is
 * served: its session is left alone. */
void idle_end_all(void);

#endif
