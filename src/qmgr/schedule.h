/* Who is served next: transports, their destinations, and the messages' shares of both.
 *
 *   transport    a delivery service ("smtp"); its agents are in agent.c
 *   destination  a next hop of a transport, with the window of deliveries that may go there at a
 * time (with a recipient limit of 1: a next hop and a recipient) entry        recipients of one
 * message that one delivery takes to one destination peer         the waiting entries of one
 * message for one destination job          all peers of one message in one transport
 *
 * Each destination has its waiting peers in the order of their messages, and each transport those
 * destinations that may be served now, in the order of their first peer: so choosing costs the same
 * however much is waiting elsewhere. A message with few entries may go ahead of one with many (the
 * preemptive scheduler of SCHEDULER_README); such jobs stand on the transport's stack.
 *
 * Plain event code. Jobs, peers and entries live in their message's arena. */
#ifndef POSTERN_QMGR_SCHEDULE_H
#define POSTERN_QMGR_SCHEDULE_H

#include "base/htab.h"
#include "qmgr/agent.h"
#include "qmgr/feedback.h"
#include "qmgr/later.h"
#include "qmgr/message.h"

#define FRESH_SIZES 64

struct transport {
	char *name;
	struct htab destinations;
	struct heap ready;		/* destinations that can be served now */
	struct list stack;		/* jobs that went ahead of others, the latest first */
	struct job *current;		/* whose entry was chosen last; NULL: it has no more */
	struct list fresh[FRESH_SIZES]; /* jobs not begun, by their number of entries */
	uint64_t fresh_sizes;		/* which of them are not empty */
	size_t waiting;			/* entries that wait */
	size_t recipients;		/* in memory, for this transport */

	int destination_recipients; /* TRANSPORT_destination_recipient_limit; 0: none */
	int recipient_limit, refill_limit;
	int slot_cost, slot_loan, slot_discount, slots_minimum;
	struct window_limits window;
	int destination_delay, delay; /* seconds between deliveries */

	bool dead;     /* cannot be reached: nothing is given to it until due */
	bool pausing;  /* between two deliveries of a rate */
	bool deferred; /* in defer_transports */
	struct later due;
	const char *dsn, *reason; /* why it is dead */
	struct agents agents;
};
struct destination {
	struct transport *transport;
	struct heap peers;	/* that wait, by the order of their messages */
	struct heap_node ready; /* in the transport's heap while it may be served */
	struct window window;
	int busy;	/* entries with an agent */
	size_t waiting; /* entries */
	bool dead, pausing;
	struct later due;
	char *dsn, *reason; /* why it is dead */
	time_t clog_warned;
	struct peer *last_filed;
	const char *nexthop; /* in name */
	char name[];	     /* key: the next hop, or "recipient\nnexthop" */
};
struct job {
	struct transport *transport;
	struct message *message;
	struct list in_message, in_stack, in_fresh;
	struct list peers;
	struct htab *by_destination; /* when there are many */
	size_t npeers;
	uint32_t waiting, selected, used; /* entries that wait, were chosen; delivery slots used */
	int64_t since_us;
	uint8_t fresh; /* which list of transport->fresh[] it is in; 0: none */
};
struct peer {
	struct job *job;
	struct destination *destination;
	struct list in_job;
	struct heap_node order; /* in destination->peers while it has entries */
	struct list entries;
	uint32_t picks;
};
struct entry_rcpt {
	uint32_t index; /* in the envelope */
	str address;	/* resolved */
};
struct entry {
	struct message *message;
	struct peer *peer;
	struct list link; /* in peer->entries; alone while an agent has it */
	str sender;	  /* VERP; p NULL: the message's own */
	uint32_t n, cap;
	bool again; /* it was given back once */
	struct entry_rcpt *v;
};

/* The transport of this name, made when it is new. */
struct transport *transport_get(str name);
struct transport *transport_first(void);
struct transport *transport_next(struct transport *t);
/* Forgets what is known of dead transports and destinations. */
void transport_revive_all(void);
/* The transport cannot be reached: what waits for it is deferred, now and for a while. */
void transport_fail(struct transport *t, const char *dsn, const char *reason);

/* Files a recipient; address and sender must live in the message's arena. sender: see struct entry;
 * an entry with a sender of its own takes one recipient. Destinations and transports that are dead
 * lead to the retry transport. Agents get the work at the next turn of the loop. */
void schedule_file(
    struct message *m, uint32_t index, str transport, str nexthop, str address, str sender);
/* How many more recipients of a message may be filed now: what the transports it uses have left of
 * their recipient limits, and always some of each message (qmgr_message_recipient_minimum). 0: wait
 * until enough of those that are filed were delivered. */
uint32_t schedule_room(const struct message *m);
/* The next entry of this transport to be delivered; NULL: nothing can be now. */
struct entry *schedule_pick(struct transport *t);
/* How many entries could be chosen now, counted up to max. */
int schedule_selectable(struct transport *t, int max);
/* An entry that was chosen goes back to where it was: no agent took it. */
void schedule_put_back(struct entry *e);
/* The delivery of an entry has ended. SITE_UNKNOWN: it says nothing about the destination. */
enum site { SITE_GOOD, SITE_BAD, SITE_UNKNOWN };
void schedule_done(struct entry *e, enum site site, str dsn, str reason);
/* The recipients of an entry that was chosen go to the retry service with this reason, instead. */
void schedule_divert(struct entry *e, const char *dsn, str reason);
/* Takes all waiting entries of a message out; returns their recipients. */
uint32_t schedule_withdraw(struct message *m);
/* What a message has in here goes; nothing of it waits or is in flight. */
void schedule_forget(struct message *m);

/* -- between schedule.c, preempt.c, destination.c and transport.c */
struct destination *destination_get(struct transport *t, str name);
void destination_update(struct destination *d);	 /* its place in transport->ready */
void destination_release(struct destination *d); /* frees it when nothing needs it */
void destination_good(struct destination *d);
void destination_bad(struct destination *d, str dsn, str reason);
void destination_pause(struct destination *d); /* rate delay */
void destination_revive(struct destination *d);
void destination_clog(
    struct destination *d);	    /* the warning about a destination that clogs the queue */
void preempt_filed(struct job *j);  /* it has got an entry more */
void preempt_chosen(struct job *j); /* an entry of it was chosen */
void preempt_forget(struct job *j);
void preempt_try(struct transport *t);
struct peer *preempt_first(struct transport *t); /* of the jobs on the stack */
void transport_pause(struct transport *t);	 /* rate delay */
void transport_work(struct transport *t);	 /* agents_run() at the next turn of the loop */
/* Sends the waiting entries of a destination to retry. */
void schedule_divert_waiting(struct destination *d, const char *dsn, str reason);

#endif
