/* postsuper: what its files share. */
#ifndef POSTERN_CMD_POSTSUPER_H
#define POSTERN_CMD_POSTSUPER_H

#include "queue/queue.h"

/* Operations, in the order in which they are done and reported. */
enum operation {
	OP_REQUEUE,
	OP_DELETE,
	OP_EXPIRE,
	OP_EXPIRE_RELEASE,
	OP_HOLD,
	OP_RELEASE,
	OPERATIONS
};

/* Queues that an operation may be restricted to. */
enum {
	IN_HOLD = 1 << 0,
	IN_INCOMING = 1 << 1, /* messages of the log are here and in active */
	IN_ACTIVE = 1 << 2,
	IN_DEFERRED = 1 << 3,
	IN_MAILDROP = 1 << 4,
	IN_LOGS = 1 << 5, /* bounce defer trace flush: nothing of ours is there */
	IN_MESSAGES = IN_HOLD | IN_INCOMING | IN_ACTIVE | IN_DEFERRED,
};
struct work {
	enum operation op;
	unsigned queues;
	bool all;
	struct buf ids; /* each with its NUL, when not all */
	/* results */
	uint64_t count;	   /* of the operation; for OP_EXPIRE_RELEASE: expired */
	uint64_t released; /* OP_EXPIRE_RELEASE */
};
/* Does the work through the running qmgr. 1: there is none; -1 and err. */
int online_do(struct work *w, size_t n, struct err *err);
/* Does it on the disk, as qmgr would. */
int offline_do(struct work *w, size_t n, struct err *err);

/* Deletes files of the maildrop, which nobody manages. */
void maildrop_delete(struct work *w);
/* Puts files where hash_queue_names and hash_queue_depth want them; their number. */
uint64_t structure_fix(unsigned queues);
/* Gives messages with long IDs short ones, if enable_long_queue_ids is off and the system down;
 * their number. */
uint64_t rename_long(unsigned queues);
void structure_purge(unsigned queues);

/* Bits of the queue that holds ref. */
unsigned queue_bits(const char *queue);
/* "AB12: removed" in the log and on standard error. */
void tell(enum operation op, const char *id);
void tell_released(const char *id);

#endif
