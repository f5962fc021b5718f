/* The SMTP and LMTP client: what its parts share.
 *
 * agent.c takes a delivery request and goes from host to host; nexthop.c reads next hops, hosts.c
 * finds their hosts, order.c sorts them; dial.c connects, conn.c greets, chat.c says commands and
 * hears replies; pix.c is about odd firewalls; cache.c keeps connections for reuse; transaction.c
 * speaks MAIL to end of data, command.c makes its commands, xforward.c tells of the client; body.c
 * sends the content, edit.c changes the copy that is sent, extra.c puts lines on top of it; fate.c
 * turns replies and failures into delivery records; bestmx.c hands mail that would loop to another
 * transport. */
#ifndef POSTERN_SMTP_SMTP_H
#define POSTERN_SMTP_SMTP_H

#include "base/hostaddr.h"
#include "ipc/deliver.h"
#include "smtp/nexthop.h"
#include "smtpwire/esmtp.h"
#include "smtpwire/reply.h"

bool smtp_is_lmtp(void);

/* flags=DORX of the service in master.cf. */
struct smtp_flags {
	bool delivered_to, original_to, return_path, final;
};
extern struct smtp_flags smtp_flags;

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
	char *key;     /* of the cache */
	bool is_unix;
	struct ehlo_caps caps;
	unsigned xforward; /* attributes that the server takes */
	bool esmtp;
	bool broken;  /* nothing more can be said */
	bool closing; /* the server said that it is about to close (421): not for another message */
	unsigned pix; /* work-arounds that this server needs */
	bool in_transaction;
	int error; /* errno of what broke it; ETIMEDOUT */
	int uses;  /* messages sent, this one included */
	int64_t opened_ms, idle_ms;
	struct reply reply; /* the last one */
	const char *phase;  /* "sending MAIL FROM" */
	const char *work;   /* "QID: " of the message it is used for, in that delivery's arena */
	struct buf said;    /* transcript, where notify_classes has protocol */
	bool unexpected;    /* a reply was the server's or our mistake: the postmaster is told */
	struct conn *next;  /* in the cache, of the same key */
	struct list node;   /* in the cache, by age */
};

/* --- hosts.c */
struct hosts {
	struct host *list; /* best first; NULL: trouble says why */
	bool is_mx;	   /* we are one of the mail exchangers: no fall-back relay (postconf(5)) */
	bool is_best_mx;   /* and no other is better: a loop */
};
/* May wait. */
void hosts_find(
    struct delivery *d, const struct nexthop *n, struct hosts *found, struct trouble *t);
void hosts_setup(void);

/* --- order.c */
/* By preference, then smtp_address_preference, then chance (smtp_randomize_addresses). */
struct host *hosts_sort(struct arena *arena, struct host *list);
/* Leaves smtp_mx_address_limit addresses; some of each protocol (smtp_balance_inet_protocols). */
struct host *hosts_limit(struct host *list);

/* --- dial.c */
/* Connects. NULL and *t. May wait. */
struct stream *dial(struct delivery *d, const struct host *h, struct trouble *t);
void dial_setup(void);

/* --- conn.c */
/* Connects and greets. NULL and *t. detect_loop: the server must not call itself by our name. May
 * wait. */
struct conn *conn_open(
    struct delivery *d, const struct host *h, bool detect_loop, struct trouble *t);
/* A connection over io, not greeted yet; takes io over. */
struct conn *conn_new(struct stream *io, const struct host *h);
/* Greeting to EHLO; 0, or -1 and *t. May wait. */
int conn_greet(
    struct conn *c, struct delivery *d, const struct host *h, bool detect_loop, struct trouble *t);
/* Says QUIT where that can be, closes, frees; waits for the reply where smtp_skip_quit_response
 * says so. May wait. */
void conn_close(struct conn *c);
void conn_free(struct conn *c); /* without a word */
void conn_setup(void);

/* --- chat.c */
/* One command; no flush. A failure shows at the next reply. May wait. */
void chat_put(struct conn *c, int timeout_s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Flushes and reads a reply into c->reply; 0, or -1: the connection is broken (c->error). 421 is a
 * refusal like others: whether the server really closes, the next reply tells. May wait. */
int chat_reply(struct conn *c, int timeout_s);
/* Marks c as broken by the outcome w of a wait. */
void chat_broke(struct conn *c, enum wait w);
void chat_setup(void);

/* --- pix.c */
void pix_setup(void);
/* Looks at the greeting, c->reply. */
void pix_look(struct conn *c, const struct delivery *d, const struct host *h);
bool pix_wants_helo(const struct conn *c);
/* Sends what there is, and pauses where that is called for. May wait. */
enum wait pix_before_dot(struct conn *c);

/* --- cache.c */
/* A connection that was kept, or NULL. */
struct conn *cache_take(const char *key);
/* Takes c over: reuses it or closes it, as configuration and d say. May wait a little. */
void cache_give(struct conn *c, const struct delivery *d, const struct nexthop *n, const char *key);
/* Takes c over; closes it, waiting for QUIT's reply in the background. */
void cache_close(struct conn *c);
/* The worker ends: closes what is kept. May wait a little. */
void cache_drain(void);
void cache_setup(void);

/* --- transaction.c */
enum tx_result {
	TX_DONE, /* recipients have fates or notes; the connection is as c->broken says */
	TX_LOST, /* broken, *t says how; those without a note are left. Content was not yet begun:
		    the same host may be tried anew */
	TX_LOST_LATE, /* the same, but (some of) the content was sent */
	TX_OURS,      /* the fault is ours (*t): another host is no help */
};
/* Sends the message to the recipients that are pending. kept: the connection was used before, and a
 * server that has had enough of it counts as TX_LOST. May wait. */
enum tx_result transaction_run(struct conn *c, struct delivery *d, bool kept, struct trouble *t);

/* --- command.c */
/* Appends the command's text, without CRLF. -1 and *t: it cannot be made (permanent: never). May
 * wait. */
int command_mail(
    const struct conn *c, struct delivery *d, bool utf8, struct buf *out, struct trouble *t);
int command_rcpt(const struct conn *c, struct delivery *d, const struct delivery_rcpt *r, bool utf8,
    struct buf *out, struct trouble *t);

/* --- xforward.c */
unsigned xforward_attrs(str names); /* of the server's EHLO reply */
/* Before MAIL, where smtp_send_xforward_command says so. -1: the connection broke. May wait. */
int xforward_send(struct conn *c, const struct delivery *d);

/* --- body.c */
enum body_result { BODY_SENT, BODY_LOST, BODY_FAILED, BODY_EARLY };
/* Sends the content and the final dot. BODY_LOST: the connection broke. BODY_FAILED: the content
 * cannot be read, or a look-up failed; the server may have part of the message, and must not be
 * told more. BODY_EARLY: the server spoke before it was its turn. May wait. */
enum body_result body_send(struct conn *c, struct delivery *d);
void body_setup(void);
bool body_is_eight_bit(const struct delivery *d);

/* --- extra.c: flags=DOR */
/* Appends the header lines on top of the content, wire form. */
void extra_headers(const struct delivery *d, struct buf *out);
/* The content already went to this recipient (flag D): 1, 0, -1 it cannot be read. */
int extra_is_loop(const struct delivery *d, str rcpt);

/* --- fate.c */
/* Trouble of a connection that broke while c->phase. */
void trouble_lost(struct delivery *d, const struct conn *c, struct trouble *t);
/* Trouble of a refusal in c->reply. */
void trouble_reply(struct delivery *d, struct conn *c, const char *command, struct trouble *t);
/* The recipient's fate by a trouble: bounced if permanent, else noted until no host is left. */
void fate_trouble(
    struct delivery *d, struct delivery_rcpt *r, const struct trouble *t, const struct conn *c);
/* The same for all recipients without fate or note. */
void fate_trouble_all(struct delivery *d, const struct trouble *t, const struct conn *c);
/* Noted, permanent or not: another host may do better. */
void fate_note_all(struct delivery *d, const struct trouble *t, const struct conn *c);
void fate_sent(struct delivery *d, struct delivery_rcpt *r, const struct conn *c);
/* Gives the notes as fates, and *t to the rest. */
void fate_settle(struct delivery *d, const struct trouble *t);
/* Before another host is tried: logs what the last one said, and forgets the notes. */
void fate_forget_notes(struct delivery *d);
bool fate_pending(const struct delivery *d);
/* Neither fate nor note. */
bool fate_is_open(const struct delivery_rcpt *r);

/* --- generic.c */
void generic_setup(void);
bool generic_wanted(void);
/* smtp_generic_maps for one address of internal form; appended to out. -1: a table failed. May
 * wait. */
int generic_address(str address, struct buf *out, struct err *err);

/* --- bestmx.c */
/* Has best_mx_transport deliver to the recipients without fate; *t is for those that it says
 * nothing of. May wait. */
void bestmx_pass(struct delivery *d, struct trouble *t);

#endif
