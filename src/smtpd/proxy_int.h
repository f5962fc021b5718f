/* One exchange with the before-queue filter. Private to proxy.c and proxy_chat.c. */
#ifndef POSTERN_SMTPD_PROXY_INT_H
#define POSTERN_SMTPD_PROXY_INT_H

#include "smtpd/proxy.h"
#include "smtpwire/reply.h"

struct proxy {
	const char *name; /* as configured, for log lines */
	struct stream *io;
	struct reply reply;
	bool broken;  /* no more can be said */
	bool in_data; /* between DATA and the end of the content */
	bool passed;  /* the last reply is a refusal for the client */
	bool unsound; /* the client's command was not said: it has control characters */
	bool failed;
};

/* The time limit of one step. */
int64_t proxy_deadline(void);
/* Reads a reply into p->reply. -1: there is none (logged). May wait. */
int proxy_listen(struct proxy *p);
/* Says a line (without its end; {NULL, 0}: nothing, for the greeting) and listens; code is the
 * reply that means yes, or its first digit. pass: a refusal is told the client. 0 or -1. May wait.
 */
int proxy_ask(struct proxy *p, str line, int code, bool pass);
/* The connection is of no more use, for this reason (logged). */
void proxy_broke(struct proxy *p, enum wait how);

#endif
