/* Addresses as milters write them in requests: "<user@dom>" mostly, but anything comes. */
#ifndef POSTERN_MILTER_ADDRESS_H
#define POSTERN_MILTER_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"

#define MILTER_ADDRESS_MAX 2048 /* bytes, as it is written: no client may send a longer one */

/* Whether text can be one: 0, or -1 and err (control characters, too long). */
int milter_address_check(str text, struct err *err);
/* The first address in text, in internal form, in the arena; "" when there is none. *more: there
 * are others. */
str milter_address(struct arena *a, str text, bool *more);
/* The same mailbox: local parts are compared byte by byte (RFC 5321 2.4). */
bool milter_address_same(str a, str b);

#endif
