/* Next hops as transport tables and relayhost write them: "domain", "domain:port", "[host]",
 * "[host]:port", and for LMTP "inet:host:port", "unix:path"; several separated by commas or spaces
 * (smtp(8)). */
#ifndef POSTERN_SMTP_NEXTHOP_H
#define POSTERN_SMTP_NEXTHOP_H

#include "base/arena.h"
#include "base/err.h"
#include <stdint.h>

struct nexthop {
	bool is_unix;
	bool no_mx; /* [host]: addresses of the host, no MX look-up */
	str host;   /* or the path of a UNIX socket; without brackets; points into the list */
	uint16_t port;
};
/* Takes the next destination out of *rest; 1, 0 at the end, -1 and err for bad syntax or an unknown
 * port. default_port: a number or the name of a service. */
int nexthop_next(str *rest, str default_port, struct nexthop *n, struct err *err);

#endif
