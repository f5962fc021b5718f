/* Connections of network tables: kept while they are idle, checked before they are used again. */
#ifndef POSTERN_TABLE_NETCONN_H
#define POSTERN_TABLE_NETCONN_H

#include "loop/stream.h"

#define NETCONN_IDLE_MAX 8   /* kept */
#define NETCONN_OPEN_MAX 100 /* at the same time; who comes then waits */

struct netconn {
	char *path, *host, *port; /* path: a UNIX socket */
	struct {
		struct stream *s;
		int64_t since;
	} idle[NETCONN_IDLE_MAX];
	int nidle;
	int64_t idle_ms; /* kept so long */
	struct sema slots;
};

void netconn_init(struct netconn *c, const struct endpoint *e, int64_t idle_ms);
void netconn_free(struct netconn *c);
/* A connection; *kept: it was used before, and may turn out to be closed. want_fresh: a new one.
 * NULL and err. May wait. */
struct stream *netconn_get(
    struct netconn *c, bool want_fresh, bool *kept, int64_t deadline, struct err *err);
void netconn_put(struct netconn *c, struct stream *s);	/* for the next */
void netconn_drop(struct netconn *c, struct stream *s); /* it is broken */
/* "host:port" or the path, appended. */
void netconn_where(const struct netconn *c, struct buf *out);

#endif
