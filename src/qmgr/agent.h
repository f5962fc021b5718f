/* Connections to delivery agents (private/<transport>): one delivery at a time on each, idle ones
 * are kept for the next. A connection counts as an agent only when the other side said
 * DELIVER_READY: so the limit of agents in master.cf is felt here, and nothing is given to one that
 * has no time. Event code. */
#ifndef POSTERN_QMGR_AGENT_H
#define POSTERN_QMGR_AGENT_H

#include "base/list.h"
#include "qmgr/later.h"

struct transport;
struct agents {
	struct list idle; /* the one used last first */
	struct list all;
	int opening;	  /* connected, not yet accepted */
	int failures;	  /* in a row */
	struct later due; /* to close idle ones, or to connect again */
};
void agents_init(struct agents *a);
/* Gives work to idle agents and looks for more of them where that helps. */
void agents_run(struct transport *t);
size_t agents_busy(void); /* deliveries in flight, over all transports */

#endif
