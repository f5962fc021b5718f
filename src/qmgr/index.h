/* Every message that the queue manager knows of, found by its queue ID; what is on hold is not in
 * it. An entry is small, as there may be very many deferred messages: what else is to be known of
 * one is read from the disk when its time comes. */
#ifndef POSTERN_QMGR_INDEX_H
#define POSTERN_QMGR_INDEX_H

#include "base/heap.h"
#include "base/list.h"
#include "queue/queue.h"

enum item_state {
	ITEM_INCOMING, /* waits for room in the active window; link is in active.c's list, ref set
			*/
	ITEM_ACTIVE,   /* message set */
	ITEM_DEFERRED, /* due is in retry.c's heap; ref NULL: its file is in deferred */
	ITEM_MOVING,   /* an operation on its file is under way */
};
enum {
	ITEM_FLUSH =
	    1 << 0, /* its next attempt was asked for: defer_transports do not hold it back */
	ITEM_EXPIRE = 1 << 1, /* postsuper -e */
	ITEM_FOUND = 1 << 2,  /* at start: an agent may still have it in hand for an earlier qmgr */
	ITEM_SKIPPED = 1 << 3, /* which was so, and was logged */
};
struct message;
struct item {
	struct item *chain;
	union {
		struct heap_node due; /* key: wall clock in microseconds */
		struct list link;
	};
	union {
		struct message *message;
		struct queue_ref *ref;
	};
	uint32_t hash;
	uint8_t state, flags;
	char id[];
};

struct item *index_find(const char *id);
/* Adds a message; the ref is copied when the state is ITEM_INCOMING. NULL when the name is there.
 */
struct item *index_add(const char *id, enum item_state state);
void index_remove(struct item *i); /* frees it; it must be in no list or heap */
size_t index_count(void);
/* The names of all, each with its NUL, one after the other, in no order. */
void index_names(struct buf *out);
/* Calls fn for each; it must not add or remove. */
void index_each(void (*fn)(struct item *i, void *arg), void *arg);

/* Where it lies; not for ITEM_ACTIVE. */
void item_ref(const struct item *i, struct queue_ref *ref);
/* Remembers where it lies; not for ITEM_ACTIVE. */
void item_set_ref(struct item *i, const struct queue_ref *ref);

#endif
