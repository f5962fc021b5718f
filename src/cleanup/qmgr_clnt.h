/* Tells qmgr of new messages and closed segments, over one kept connection, in batches. */
#ifndef POSTERN_CLEANUP_QMGR_CLNT_H
#define POSTERN_CLEANUP_QMGR_CLNT_H

#include "queue/queue.h"

/* Starts the sender coroutine in the worker's scope. */
void qmgr_clnt_start(void);
/* Queues the news; never waits. What qmgr does not take now is kept and sent again, so that it may
 * hear of a message twice; while it is down the news is dropped when there is too much of it, for
 * qmgr finds the messages on the disk at its start. */
void qmgr_clnt_new(const struct queue_ref *ref, const struct envelope *env);
void qmgr_clnt_closed(uint64_t segment, uint64_t generation);
/* Waits a little when qmgr is far behind, so that mail comes in no faster than it can note it. */
void qmgr_clnt_pace(void);
/* At the worker's end: waits, a few seconds at most, until everything is told. */
void qmgr_clnt_finish(void);

#endif
