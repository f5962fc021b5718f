/* The tables that proxymap may serve: the proxy:type:name words of proxy_read_maps or
 * proxy_write_maps. */
#ifndef POSTERN_PROXYMAP_APPROVED_H
#define POSTERN_PROXYMAP_APPROVED_H

#include "base/htab.h"

struct approved {
	struct htab specs; /* "type:name" */
};

/* Takes every word that begins with "proxy:", inside of braces (unionmap:{...}) too; others mean
 * nothing. */
void approved_add(struct approved *a, str list);
bool approved_has(const struct approved *a, str spec);

#endif
