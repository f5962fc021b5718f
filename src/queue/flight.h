/* Deliveries in flight, as a queue manager sees them that was not there when they began: it must
 * not begin them again. An agent marks the recipients it has in hand; the mark goes with the agent,
 * if it dies. */
#ifndef POSTERN_QUEUE_FLIGHT_H
#define POSTERN_QUEUE_FLIGHT_H

#include "queue/queue.h"

/* fd: of queue_content_open(); index: of the first recipient of the delivery. 0, or -1 with errno.
 */
int queue_flight_begin(int fd, uint64_t content_offset, uint32_t index);
void queue_flight_end(int fd, uint64_t content_offset, uint32_t index);
/* Whether anybody has recipients of this message in hand; its content_offset is known. */
bool queue_in_flight(const struct queue_ref *ref);

#endif
