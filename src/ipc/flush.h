/* Asks qmgr to deliver now: ETRN, postqueue -s, -i and -f. */
#ifndef POSTERN_IPC_FLUSH_H
#define POSTERN_IPC_FLUSH_H

#include "base/err.h"
#include "base/str.h"
#include <stdint.h>

/* queue_id and site as in QMGR_FLUSH (both "": all). 0, or -1 and err (qmgr's errno in err->code).
 * May wait. */
int flush_queue(str queue_id, str site, int64_t deadline, struct err *err);

#endif
