/* Inside src/ipc: results of deliveries that a queue manager may have taken into its grave. It
 * records what it is told within a fraction of a second; so what one connection told in the last
 * while is kept, and told again to the next queue manager when the connection breaks. */
#ifndef POSTERN_IPC_LATE_H
#define POSTERN_IPC_LATE_H

#include "base/buf.h"

struct late {
	struct buf young, old; /* QMGR_LATE frames */
	size_t nyoung, nold;
	int64_t born; /* of young */
};
/* Remembers a delivery's results: RCPT_STATUS frames. */
void late_keep(struct late *l, str queue_id, str statuses);
/* Tells the queue manager that is there now, waiting until there is one. May wait long. */
void late_report(struct late *l);
void late_free(struct late *l);

#endif
