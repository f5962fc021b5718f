/* The Received: field that we add (RFC 5321 4.4), and how many a message has. */
#ifndef POSTERN_MAIL_RECEIVED_H
#define POSTERN_MAIL_RECEIVED_H

#include "base/buf.h"
#include <time.h>

struct received {
	str helo, client_name,
	    client_addr; /* from helo (name [addr]); helo "" : local form, see userid */
	long userid;	 /* local form: "(Postfix, from userid 1000)" */
	str myhostname, mail_name;
	str tls;      /* "using TLSv1.3 with ..." comment text, lines separated by \n; "" none */
	str auth;     /* "Authenticated sender: x", "" none */
	str protocol; /* SMTP ESMTP ESMTPS ESMTPA ESMTPSA UTF8SMTP... */
	str queue_id; /* "" none (proxy filter) */
	str rcpt;     /* internal form; "" : no for clause */
	time_t when;
};
/* Appends the field's text ("\n" between lines, no end; see header.h). Untrusted parts are cleaned.
 */
void received_put(struct buf *out, const struct received *r);

/* Number of Received: fields in a header (any line ends); reading stops at the empty line. */
unsigned received_count(str header);

#endif
