/* postsuper -r: a message goes through address rewriting and content inspection once more. */
#ifndef POSTERN_QMGR_REQUEUE_H
#define POSTERN_QMGR_REQUEUE_H

#include "queue/queue.h"

/* Writes what is left of a message into the maildrop, from where pickup takes it; the caller then
 * ends it here. -1 and err. May wait. */
int requeue_message(const struct queue_ref *ref, const struct envelope *env, struct err *err);

#endif
