/* The delivery agents' side of qmgr's requests: what smtp, virtual, error, discard, local, pipe
 * have in common. An agent is one function; this module receives, logs the delivery records, and
 * answers. */
#ifndef POSTERN_IPC_DELIVER_H
#define POSTERN_IPC_DELIVER_H

#include "ipc/msg.h"

enum rcpt_kind {
	RCPT_PENDING = 0,
	RCPT_SENT,
	RCPT_DEFERRED,
	RCPT_BOUNCED,
	RCPT_REPORTED, /* final, and its sender has been told: qmgr's own, agents never say it */
};

enum {				      /* DELIVER flags */
	DELIVER_TRACE = 1 << 0,	      /* sendmail -v: report each delivery */
	DELIVER_PROBE = 1 << 1,	      /* address verification: do everything but deliver */
	DELIVER_REPORT_ONLY = 1 << 2, /* sendmail -bv: a probe whose results are mailed */
	DELIVER_BOUNCE_MAIL = 1 << 3, /* the sender is <> */
	DELIVER_REUSE = 1 << 4, /* more mail waits for this destination: keep the connection */
};
/* Action of a recipient whose next hop understands DSN and will report itself (RFC 3461 5.2.1):
 * success is none of our news. */
#define ACTION_PASSED_ON "passed-on"

struct delivery_rcpt {
	uint32_t index;
	str address, orig_address, orcpt;
	uint32_t notify, flags;
	bool done; /* a status was given */
	void *aux; /* the agent's */
};
struct delivery {
	struct arena arena;   /* all slices live here, for the request */
	struct ipc_deliver m; /* see msg.tbl */
	int64_t agent_us; /* wall clock when the agent took the request: c of delays=a/b/c/d starts
			     here */
	int64_t conn_us; /* wall clock when the connection was ready; 0: none was made (with a relay
			  * other than "none" the time then counts as d, not c) */
	struct delivery_rcpt *rcpts;
	size_t nrcpts;
	struct ipc_env_attr *attrs;
	size_t nattrs;
	int content_fd;	     /* of m.path, kept open by the worker's cache: do not close */
	struct stream *qmgr; /* private */
	struct buf told;     /* private: the statuses so far, should qmgr go away */
	int64_t sent_ms;     /* private: loop time when the statuses were sent to qmgr last */
	uint32_t site;	     /* set both with delivery_site_dead() */
	str site_dsn, site_reason;
};
str delivery_attr(const struct delivery *d, const char *name); /* value or empty */

/* What an agent says of a recipient. Strings are copied. */
struct fate {
	enum rcpt_kind kind;
	const char *dsn;		 /* "2.1.5" */
	const char *action;		 /* NULL: by kind */
	const char *mta_type, *mta_name; /* NULL: none */
	const char *diag_type, *diag;
	const char *relay;  /* "host[addr]:port", "virtual", "none" */
	int conn_use;	    /* > 1 is logged */
	const char *reason; /* text in parentheses */
};
/* Logs the delivery record ("to=<...>, relay=..., delay=..., delays=..., dsn=..., status=...
 * (...)"), applies soft_bounce and the agent's *_delivery_status_filter, and sends RCPT_STATUS. May
 * wait. */
void delivery_fate(struct delivery *d, struct delivery_rcpt *r, const struct fate *f);
/* The destination as a whole could not be reached (for qmgr's dead-site count). */
void delivery_site_dead(struct delivery *d, const char *dsn, const char *reason);

/* The agent's *_delivery_status_filter, for all deliveries of the process; kept. */
struct maps;
void delivery_filter(struct maps *filter);
/* Appends a duration as delivery records show it: two significant digits, nothing finer than
 * delay_logging_resolution_limit, "0" for less. */
void delivery_delay(struct buf *out, int64_t us);

/* Serves one connection from qmgr: says DELIVER_READY at once (qmgr gives work only to connections
 * that were accepted, so that a full agent is known to be full), then calls agent for each request;
 * recipients it gave no fate are deferred with a warning. Returns when qmgr hangs up or the worker
 * drains. May wait. */
void delivery_serve(struct stream *qmgr, void (*agent)(struct delivery *d));

#endif
