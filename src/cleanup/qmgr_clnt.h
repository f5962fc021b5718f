/* Tells qmgr of new messages and closed segments, over one kept connection, in batches. */
#ifndef POSTERN_CLEANUP_QMGR_CLNT_H
#define POSTERN_CLEANUP_QMGR_CLNT_H

#include "queue/queue.h"

/* Starts the sender coroutine in the worker's scope. */
void qmgr_clnt_start(void);
/* Queues the news; never waits. When qmgr is away the news is dropped: qmgr finds the message on
 * the disk at its start. */
void qmgr_clnt_new(const struct queue_ref *ref, const struct envelope *env);
void qmgr_clnt_closed(uint64_t segment, uint64_t generation);

#endif
