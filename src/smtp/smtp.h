/* The SMTP and LMTP client: what its parts share.
 *
 * agent.c takes a delivery request and goes from host to host; hosts.c finds them; conn.c connects
 * and greets; cache.c keeps connections for reuse; transaction.c speaks MAIL to end of data; body.c
 * sends the content; fate.c turns replies and failures into delivery records. */
#ifndef POSTERN_SMTP_SMTP_H
#define POSTERN_SMTP_SMTP_H

#include "base/hostaddr.h"
#include "ipc/deliver.h"
#include "smtp/nexthop.h"
#include "smtpwire/esmtp.h"
#include "smtpwire/reply.h"

bool smtp_is_lmtp(void);
const char *smtp_default_port(void); /* smtp_tcp_port or lmtp_tcp_port */

/* One address to try. */
struct host {
	const char *name;
	struct hostaddr addr;
	const char *path; /* UNIX socket, else NULL */
	unsigned pref;
	struct host *next;
};

/* A failure that concerns all recipients that are left. Strings are in the delivery's arena. */
struct trouble {
	bool permanent;
	const char *dsn;
	const char *text;
	const char *mta_name; /* NULL: none was reached */
	const char *diag;     /* reply, or NULL */
	const char *relay;    /* "none" */
};

struct conn {
	struct stream *io;
	char *name;    /* host name as looked up */
	char *namaddr; /* "name[addr]" */
	char *relay;   /* "name[addr]:port" for delivery records */
	char *key;     /* next hop and port, for the cache */
	struct ehlo_caps caps;
	bool esmtp;
	bool broken; /* nothing more can be said */
	bool in_transaction;
	int uses; /* messages sent, this one included */
	int64_t opened_ms, idle_ms;
	struct reply reply; /* the last one */
	const char *phase;  /* "sending MAIL FROM" */
	struct list node;   /* in the cache */
};

/* --- hosts.c */
/* Addresses of a next hop, best first. NULL and *t when there is none. May wait. */
struct host *hosts_find(struct delivery *d, const struct nexthop *n, struct trouble *t);
void hosts_setup(void);

/* --- conn.c */
/* Connects and greets. NULL and *t; *refused: the server was reached and did not want to talk. May
 * wait. */
struct conn *conn_open(struct delivery *d, const struct host *h, const struct nexthop *n,
    bool detect_loop, struct trouble *t, bool *refused);
/* Says QUIT where that can be, closes, frees. May wait a little. */
void conn_close(struct conn *c);
/* One command; no flush. */
void conn_put(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Flushes and reads a reply into c->reply; 0, or -1: the connection is broken, errno ETIMEDOUT or
 * other. May wait. */
int conn_reply(struct conn *c, int timeout_s);
void conn_setup(void);

/* --- cache.c */
struct conn *cache_take(const char *key);
/* Takes c over: it can be taken again for some seconds. */
void cache_keep(struct conn *c);
void cache_setup(void);
bool cache_wanted(const struct delivery *d, const struct nexthop *n, const struct conn *c);

/* --- transaction.c */
/* Sends the message to the recipients that are pending. Fates are given, or soft ones noted with
 * fate_later(). 0; -1: the connection broke (and *t says how) before anything was decided. May
 * wait. */
int transaction_run(struct conn *c, struct delivery *d, struct trouble *t);

/* --- body.c */
/* Sends the content and the final dot. 0, -1: the connection broke, -2: the content cannot be read.
 * May wait. */
int body_send(struct conn *c, struct delivery *d);
void body_setup(void);
bool body_is_eight_bit(const struct delivery *d);

/* --- fate.c */
/* Trouble of a connection that broke (errno) while c->phase. */
void trouble_lost(struct delivery *d, const struct conn *c, int error, struct trouble *t);
/* Trouble of a refusal in c->reply. */
void trouble_reply(
    struct delivery *d, const struct conn *c, const char *command, struct trouble *t);
/* The recipient's fate by a trouble: bounced if permanent, else noted until no host is left. */
void fate_trouble(
    struct delivery *d, struct delivery_rcpt *r, const struct trouble *t, const struct conn *c);
void fate_sent(struct delivery *d, struct delivery_rcpt *r, const struct conn *c, const char *text);
/* Gives the noted soft fates, and this trouble to the rest. */
void fate_settle(struct delivery *d, const struct trouble *t);
/* Before another host is tried: logs what the last one said. */
void fate_log_noted(struct delivery *d);
bool fate_pending(const struct delivery *d);

/* --- generic.c */
void generic_setup(void);
bool generic_wanted(void);
/* smtp_generic_maps for one address of internal form; appended to out. -1: a table failed. May
 * wait. */
int generic_address(str address, struct buf *out, struct err *err);

#endif
