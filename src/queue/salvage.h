/* Reading back a segment whose writer is gone, or may be. Private to src/queue; blocks on the disk
 * and may run in a pool thread. */
#ifndef POSTERN_QUEUE_SALVAGE_H
#define POSTERN_QUEUE_SALVAGE_H

#include "queue/segment.h"

struct queue_ref;

struct salvage {
	struct segment_head head;
	bool
	    live; /* its writer is at work: what was complete is here, the rest will be announced */
	bool gone; /* it was never made whole, or is damaged altogether, and has been put away */
	struct queue_ref *refs; /* complete records, in order */
	size_t nrefs, cap;
	struct buf warnings; /* lines for the log */
};
/* Reads all complete records of an ACTIVE or CLOSED segment. Damaged regions are saved in corrupt/.
 * One whose writer is dead becomes CLOSED. A FREE one gives only its head. -1 and err when it
 * cannot be read at all. */
int salvage_segment(uint64_t number, struct salvage *out, struct err *err);
void salvage_free(struct salvage *s);

#endif
