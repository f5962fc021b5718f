/* What the modules of src/policyproto share. */
#ifndef POSTERN_POLICYPROTO_POLICY_INT_H
#define POSTERN_POLICYPROTO_POLICY_INT_H

#include "loop/loop.h"
#include "loop/stream.h"
#include "policyproto/policy.h"

/* In one of three states: idle (in server->idle), kept for its owner (in server->kept), or in use
 * by a request (in no list). */
struct policy_conn {
	struct list node;
	struct policy_server *server;
	struct policy_owner *owner;	/* NULL: nobody's */
	struct policy_conn *next_owned; /* of the same owner, another server's */
	struct stream *io;
	int64_t born, used; /* loop time, ms */
	int requests;	    /* answered */
};

struct policy_server {
	struct policy_settings set;
	char *path;	   /* UNIX socket, or NULL */
	char *host, *name; /* name: for the log */
	uint16_t port;
	struct sema turns;	/* requests at the same time: as many as connections */
	struct list idle, kept; /* used last: at the end */
	long open;		/* connections in all states */
	struct timer expire;	/* for the one that was not used for the longest time */
};

/* A connection for a request of owner; fresh: a new one. *kept: it was used before, and may turn
 * out to be closed. NULL and err. May wait. */
struct policy_conn *policy_conn_get(
    struct policy_server *p, struct policy_owner *owner, bool fresh, bool *kept, struct err *err);
/* After an answer: kept for the owner, or for everybody. */
void policy_conn_put(struct policy_conn *c);
/* It is broken, or at its end. */
void policy_conn_drop(struct policy_conn *c);

/* Connects within the time limit. May wait. */
struct stream *policy_dial(struct policy_server *p, struct err *err);

#endif
