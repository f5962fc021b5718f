/* Routes: address class, transport and next hop of a recipient (trivial-rewrite(8),
 * ADDRESS_CLASS_README). */
#ifndef POSTERN_TRIVIAL_REWRITE_RESOLVE_H
#define POSTERN_TRIVIAL_REWRITE_RESOLVE_H

#include "base/buf.h"
#include "ipc/rewrite.h"

void resolve_setup(void);

struct route {
	uint32_t flags;
	struct buf transport, nexthop, recipient;
};
/* Finds the route of an internal address. verify: by the address_verify_* parameters. A table that
 * fails sets RESOLVE_FAIL. May wait. */
void resolve_address(str sender, str address, bool verify, struct route *r);
void route_free(struct route *r);

#endif
