/* transport(5): the table that overrides routes, and what "transport:nexthop" means. */
#ifndef POSTERN_TRIVIAL_REWRITE_TRANSPORT_H
#define POSTERN_TRIVIAL_REWRITE_TRANSPORT_H

#include "table/table.h"
#include "trivial-rewrite/resolve.h"

/* Puts "transport:nexthop" into r: an empty transport keeps the present one; an empty next hop
 * stands for the recipient's domain; ":" alone changes nothing. */
void transport_apply(struct route *r, str spec, str domain);
/* Looks an address up in the transport table. May wait. */
enum table_result transport_find(
    struct maps *maps, str recipient, struct buf *value, struct err *err);

#endif
