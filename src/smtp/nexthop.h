/* Next hops as transport tables and relayhost write them: "domain", "domain:port", "[host]",
 * "[host]:port", "inet:host:port" and "unix:path" (LMTP), several separated by commas or spaces. */
#ifndef POSTERN_SMTP_NEXTHOP_H
#define POSTERN_SMTP_NEXTHOP_H

#include "base/arena.h"
#include "base/err.h"
#include <stdint.h>

struct nexthop {
	bool is_unix;
	bool no_mx;	   /* [host]: addresses of the host, no MX look-up */
	bool default_port; /* none was given */
	str host;	   /* or the path of a UNIX socket; without brackets */
	uint16_t port;
};
/* Takes the next destination out of *rest; 1, 0 at the end, -1 and err for bad syntax. */
int nexthop_next(str *rest, struct nexthop *n, struct err *err);

#endif
