/* Timers of the queue manager: any number of them on one timer of the loop. Event code. */
#ifndef POSTERN_QMGR_DUE_H
#define POSTERN_QMGR_DUE_H

#include "base/heap.h"
#include "base/mem.h"

struct due {
	struct heap_node node;
	void (*fn)(struct due *d);
};
void due_set(struct due *d, int64_t milliseconds, void (*fn)(struct due *d)); /* replaces */
void due_stop(struct due *d);
static inline int due_is_set(const struct due *d)
{
	return d->node.index != 0;
}

#endif
