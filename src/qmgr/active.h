/* What is in the active window and what waits before it: incoming mail in the order of its arrival,
 * and deferred mail in the order of its next attempt. Event code. */
#ifndef POSTERN_QMGR_ACTIVE_H
#define POSTERN_QMGR_ACTIVE_H

#include "qmgr/index.h"
#include "qmgr/message.h"

extern struct queue_store *qmgr_store;

/* A message of which cleanup says that it is durable. envelope: its records, or empty. */
void active_new(const struct queue_ref *ref, str envelope);
/* A message found on the disk at start. */
void active_found(const struct queue_ref *ref, int64_t next_attempt_s);
/* Opens the window, in a moment: what agents know comes first. */
void active_open(void);
/* Fills the window; called whenever it may have got room or something became due. */
void active_run(void);
/* A message leaves the window: frees it; its item stays, as ITEM_MOVING, with the message's place.
 */
struct item *active_leave(struct message *m);
/* Forgets a message, wherever its item is (not active). */
void active_forget(struct item *i);
/* The item waits (again) before the window; its ref is set. first: before all that did not wait so.
 */
void active_wait(struct item *i, bool first);
void active_unwait(struct item *i); /* takes it out: ITEM_MOVING then */
size_t active_count(void);
size_t active_reading(void);	      /* envelopes being read */
void active_recipients(ssize_t more); /* in memory */

/* -- retry.c: deferred messages by the time of their next attempt */
void retry_add(struct item *i, int64_t when_us); /* becomes ITEM_DEFERRED */
void retry_remove(struct item *i);		 /* becomes ITEM_MOVING */
struct item *retry_first(void);			 /* whose time has come; NULL: none now */
void retry_now(struct item *i);			 /* its time has come */
size_t retry_flush(void);			 /* the time of all has come */
size_t retry_count(void);

/* -- route.c */
void route_start(void); /* its coroutines */
void route_add(
    struct message *m); /* resolves and files the next batch of recipients, then progress */

/* -- report.c */
void report_start(void);
bool report_wanted(const struct message *m);
void report_add(struct message *m); /* makes the reports, then message_reported() */
size_t report_count(void);	    /* under way */

/* -- move.c: moves between queues, so many at a time */
void move_start(const struct queue_ref *ref, const struct envelope *env, const char *queue,
    int64_t next_s, void (*done)(void *arg, const struct queue_ref *now, int error),
    void *arg); /* ref and env stay until done */
size_t move_count(void);

/* -- super.c */
/* What is left of a message whose deliveries have ended, with m->super set. */
void super_apply(struct message *m);
/* Operation on one message by its name, or on all ("ALL") of the named queues. May wait. */
int super_do(str op, str id, str queues, uint64_t *count, struct err *err);

/* -- flush.c */
void flush_letters(str letters);
/* As QMGR_FLUSH; returns the number of messages. May wait (site). */
uint64_t flush_do(str id, str site);

/* -- late.c: results of deliveries that an earlier qmgr asked for; they come while the message
 * waits */
void late_add(str id, str statuses);
void late_apply(struct message *m);
void late_forget(const char *id); /* the message has gone */

/* -- list.c: answers QMGR_LIST on the stream. May wait. */
struct stream;
int list_send(struct stream *s, str id);

#endif
