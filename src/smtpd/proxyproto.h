/* The PROXY protocol of haproxy, versions 1 and 2: who the client of a proxy in front of us is. */
#ifndef POSTERN_SMTPD_PROXYPROTO_H
#define POSTERN_SMTPD_PROXYPROTO_H

#include "loop/stream.h"

struct proxyproto {
	bool local; /* the proxy speaks for itself, or does not know: the real addresses count */
	struct hostaddr from, to; /* unless local */
};

enum proxyproto_state { PROXYPROTO_MORE, PROXYPROTO_DONE, PROXYPROTO_BAD };
/* Parses the header at the start of in; *used is its length when it is done, or what it must have
 * at least. Families that inet_protocols does not allow are bad. */
enum proxyproto_state proxyproto_parse(str in, struct proxyproto *p, size_t *used, struct err *err);
/* Reads the header within smtpd_upstream_proxy_timeout; false, with a warning, when it is bad, late
 * or missing. May wait. */
bool proxyproto_read(struct stream *io, struct proxyproto *p);

#endif
