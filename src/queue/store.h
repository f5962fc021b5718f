/* qmgr's hold on the queue: recovery, results, movement between lanes, the end of a message.
 * Nothing here waits; what touches the disk slowly runs in the thread pool and calls back as event
 * code. */
#ifndef POSTERN_QUEUE_STORE_H
#define POSTERN_QUEUE_STORE_H

#include "queue/queue.h"

struct queue_store;

/* Opens the queue at start: takes the lock, reads the status log, scans both lanes and calls
 * found() for each living message (log lane, incoming, active -> as found; deferred with its next
 * attempt). Damaged ones go to corrupt with one warning each. Blocks; before serving. NULL and err.
 */
struct queue_store *queue_store_open(
    void (*found)(const struct queue_ref *ref, int64_t next_attempt_s, void *arg), void *arg,
    struct err *err);
void queue_store_close(struct queue_store *s); /* syncs */

/* A message that cleanup announced (QMGR_NEW): from now on it is counted on its segment. False when
 * it is known already (found by the scan at start). */
bool queue_store_new(struct queue_store *s, const struct queue_ref *ref);
void queue_store_segment_closed(struct queue_store *s, uint64_t segment, uint64_t generation);

/* Records a recipient's status (sent, bounced, deferred). Buffered; durable within a second, or
 * when queue_store_sync() says so. The caller keeps env->status up to date itself. */
void queue_store_status(
    struct queue_store *s, const struct queue_ref *ref, const struct ipc_rcpt_status *st);
/* Message-wide notes in the status area: MESSAGE_WARNED, MESSAGE_FORCE_EXPIRE bits that are set
 * now. */
void queue_store_flags(struct queue_store *s, const struct queue_ref *ref, uint32_t flags);
/* done(arg, 0 or errno) once everything recorded before is durable. */
void queue_store_sync(struct queue_store *s, void (*done)(void *arg, int error), void *arg);

/* The message is finished: all recipients done, reports made. It never comes back. */
void queue_store_finish(struct queue_store *s, const struct queue_ref *ref);

/* Moves a message to a queue of the file lane ("deferred", "hold", "active", "incoming"), leaving
 * the log if it is there; env has the statuses to keep. next_attempt_s: file time of a deferred
 * message. done() gets the new place, or error != 0 (the message is where it was). While it runs
 * the message must not be touched. */
void queue_store_move(struct queue_store *s, const struct queue_ref *ref,
    const struct envelope *env, const char *queue, int64_t next_attempt_s,
    void (*done)(void *arg, const struct queue_ref *now, int error), void *arg);

/* A damaged message: to corrupt, with a warning. */
void queue_store_corrupt(struct queue_store *s, const struct queue_ref *ref, const char *why);

/* Segments older than this many seconds whose messages should leave the log: calls old() (later, as
 * event code) for each message, which the caller then moves when it can; repeated every half minute
 * while it is there. Also looks for segments whose writer died. Called by qmgr's timer, every few
 * seconds. */
void queue_store_age(struct queue_store *s, int seconds,
    void (*old)(const struct queue_ref *ref, void *arg), void *arg);

#endif
