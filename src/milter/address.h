/* Addresses as milters write them in requests: "<user@dom>" mostly, but anything comes. */
#ifndef POSTERN_MILTER_ADDRESS_H
#define POSTERN_MILTER_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"

/* The first address in text, in internal form, in the arena; "" when there is none. *more: there
 * are others. -1 and err: control characters. */
int milter_address(struct arena *a, str text, str *address, bool *more, struct err *err);
/* The same mailbox: local parts are compared byte by byte (RFC 5321 2.4). */
bool milter_address_same(str a, str b);

#endif
