/* Timers of the queue manager: any number of them on one timer of the loop. Event code. */
#ifndef POSTERN_QMGR_LATER_H
#define POSTERN_QMGR_LATER_H

#include "base/heap.h"
#include "base/mem.h"

struct later {
	struct heap_node node;
	void (*fn)(struct later *d);
};
void later_set(struct later *d, int64_t milliseconds, void (*fn)(struct later *d)); /* replaces */
void later_stop(struct later *d);
static inline int later_is_set(const struct later *d)
{
	return d->node.index != 0;
}

#endif
