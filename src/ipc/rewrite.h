/* Client of the rewrite service (trivial-rewrite): address forms and routes, with a small cache
 * whose entries live one second. */
#ifndef POSTERN_IPC_REWRITE_H
#define POSTERN_IPC_REWRITE_H

#include "base/arena.h"
#include "base/err.h"
#include <stdint.h>

enum {
	RESOLVE_ROUTED = 1 << 0, /* has routing operators left (user%x@y, a@b@c) */
	RESOLVE_ERROR = 1 << 1,	 /* transport is error: bad address */
	RESOLVE_FAIL = 1 << 2,	 /* a table look-up failed: defer */
	RESOLVE_LOCAL = 1 << 8,	 /* address classes, ADDRESS_CLASS_README */
	RESOLVE_ALIAS = 1 << 9,
	RESOLVE_VIRTUAL = 1 << 10,
	RESOLVE_RELAY = 1 << 11,
	RESOLVE_DEFAULT = 1 << 12,
	RESOLVE_CLASS_MASK = 0x1f00,
	RESOLVE_FINAL =
	    RESOLVE_LOCAL | RESOLVE_ALIAS | RESOLVE_VIRTUAL, /* we are the final destination */
};
struct resolved {
	uint32_t flags;
	str transport, nexthop, recipient; /* recipient in internal (unquoted) form */
};

/* Completes an address of internal form by the rules of a context ("local", "remote").
 * The result is in arena. -1 and err when the service cannot be reached by the deadline
 * (the caller defers). May wait. */
int rewrite_address(
    str context, str address, struct arena *a, str *out, int64_t deadline, struct err *err);
/* Route of an address. sender "" is the null sender. May wait. */
int rewrite_resolve(str sender, str address, bool verify, struct arena *a, struct resolved *out,
    int64_t deadline, struct err *err);

#endif
