/* Kept connections to a service socket ("private/rewrite"): one request at a time each, as many as
 * there are concurrent askers; idle ones are kept for the next and closed after ipc_idle. */
#ifndef POSTERN_IPC_POOL_H
#define POSTERN_IPC_POOL_H

#include "loop/stream.h"

struct ipc_pool;
/* path is relative to the queue directory, the working directory of every program. */
struct ipc_pool *ipc_pool_new(const char *path, int max_idle);
/* A connection: an idle one, or a new one (*fresh tells). A kept one may have been closed by the
 * other side; a caller whose request fails on a connection that is not fresh tries again once with
 * fresh. May wait. */
struct stream *ipc_pool_get(
    struct ipc_pool *p, bool want_fresh, bool *fresh, int64_t deadline, struct err *err);
void ipc_pool_put(struct ipc_pool *p, struct stream *s);  /* back, for reuse */
void ipc_pool_drop(struct ipc_pool *p, struct stream *s); /* it is broken */
void ipc_pool_free(struct ipc_pool *p);

#endif
