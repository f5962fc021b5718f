/* A message in the active window, from its activation to its end or its deferral. */
#ifndef POSTERN_QMGR_MESSAGE_H
#define POSTERN_QMGR_MESSAGE_H

#include "base/list.h"
#include "ipc/deliver.h"
#include "queue/store.h"

enum message_stage {
	STAGE_READING,	  /* its envelope is read from the disk */
	STAGE_RESOLVING,  /* route.c has it */
	STAGE_DELIVERING, /* entries wait or are with agents */
	STAGE_NOTIFYING,  /* report.c has it */
	STAGE_MOVING,	  /* it leaves for the file lane */
};
enum {				/* per recipient */
	MARK_UNSTORED = 1 << 0, /* its status is not with the queue yet */
	MARK_ROUND = 1 << 1,	/* it got a status since the activation */
};
struct message {
	struct item *item;
	struct queue_ref ref;
	struct arena arena;
	struct envelope env;
	uint8_t *marks;
	struct list jobs;	 /* of schedule.c */
	struct list link;	 /* in the queue of route.c, report.c or move.c */
	struct list in_progress; /* message_progress() was called */
	uint64_t order;		 /* of activation */
	int64_t active_us;
	int64_t next_us;    /* next attempt, while it is deferred */
	uint32_t *unstored; /* recipients whose newest status the queue has not */
	uint32_t nunstored, unstored_cap;
	uint32_t cursor; /* recipients before it were filed, or have their fate */
	uint32_t filed;	 /* recipients that are filed and have no fate yet */
	uint32_t busy;	 /* entries with agents */
	uint8_t stage;
	bool found;   /* at start */
	bool flush;   /* defer_transports do not count */
	bool counted; /* its recipients are in the count of those in memory */
	char
	    super; /* what postsuper wants done to it as soon as nothing is in flight; 0: nothing */
	bool relocate; /* it shall leave the log, and be delivered further */
	bool report_failed;
};

/* The envelope is there: logs the activation, and sends the message on its way. */
void message_start(struct message *m);
/* Something about it has changed: recipients got their fates, were routed, or an operation is
 * wanted. Acted on at the next turn of the loop: nothing is freed while the scheduler is at work.
 */
void message_progress(struct message *m);
/* A recipient's fate; st is copied. Follow with message_progress(). */
void message_status(struct message *m, const struct ipc_rcpt_status *st);
/* Recipients of an entry are deferred by ourselves, with a delivery record. */
void message_defer(struct message *m, uint32_t index, const char *dsn, str reason);
/* A recipient that needs no agent: gets its record and is done. */
void message_sent(struct message *m, uint32_t index, const char *dsn, const char *text);
/* Hands the statuses that are not stored yet to the queue. */
void message_store(struct message *m);
/* report.c is done with it; false: a report could not be made and is to be tried again later. */
void message_reported(struct message *m, bool ok);
/* The move to the file lane has ended. */
void message_moved(struct message *m, const struct queue_ref *now, int error);
/* An operation of postsuper; acted on at once, or when the deliveries in flight have ended. */
void message_super(struct message *m, char op);
/* The queue wants it out of the log. */
void message_relocate(struct message *m);

static inline bool rcpt_final(const struct ipc_rcpt_status *st)
{
	return st->kind == RCPT_SENT || st->kind == RCPT_BOUNCED || st->kind == RCPT_REPORTED;
}

#endif
