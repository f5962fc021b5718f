/* Inside src/ipc: results of a delivery whose queue manager has gone meanwhile. */
#ifndef POSTERN_IPC_LATE_H
#define POSTERN_IPC_LATE_H

#include "base/str.h"

/* Tells the queue manager that is there now, waiting until there is one. statuses: RCPT_STATUS
 * frames. May wait long. */
void late_report(str queue_id, str statuses);

#endif
