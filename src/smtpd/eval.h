/* The evaluation of restriction lists for one request, as the restrictions see it. */
#ifndef POSTERN_SMTPD_EVAL_H
#define POSTERN_SMTPD_EVAL_H

#include "ipc/rewrite.h"
#include "smtpd/session.h"
#include "table/table.h"

enum outcome {
	OUT_DUNNO,  /* the next restriction decides */
	OUT_OK,	    /* ends this list */
	OUT_REJECT, /* ends everything; s->verdict is the reply */
};

/* Which list a restriction stands in: what "reject" without further ado refers to. */
enum list_id {
	LIST_CLIENT,
	LIST_HELO,
	LIST_SENDER,
	LIST_RELAY,
	LIST_RECIPIENT,
	LIST_ETRN,
	LIST_DATA,
	LIST_END_OF_DATA,
	LIST_COUNT,
};

struct rule; /* rules.h */

/* What a reply is about: "<x@y>: Sender address rejected: ..." */
struct subject {
	const char *object; /* x@y, without brackets */
	const char *class;  /* Sender address */
};

struct eval {
	struct session *s;
	struct arena *arena; /* lives as long as the evaluation */
	enum list_id list;
	str etrn;	   /* site of ETRN */
	bool warn;	   /* warn_if_reject stands before this restriction */
	bool rcpt_checked; /* recipient was looked for in its tables */
	bool sender_checked;
	const char *defer_if_permit, *defer_if_reject; /* pending replies */
	bool have_rcpt_route, have_sender_route;
	struct resolved rcpt_route, sender_route;
	int depth;		     /* of restriction classes and table results */
	bool in_default_action;	     /* what holds for a policy server that failed is evaluated */
	const struct subject *about; /* restrictions that a table gave: what it was asked about */
};

/* Refuses: reply code, enhanced code, text. Logs it. With warn_if_reject or a pending
 * defer_if_reject the outcome is theirs. Returns what the restriction should return. */
enum outcome eval_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same as "<object>: class rejected: reason". */
enum outcome eval_reject_subject(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason);
/* The list is wrong, or what a table said: 451 4.3.5 Server configuration error. */
enum outcome eval_config_error(struct eval *e);
/* A table does not answer: the same with its subject. */
enum outcome eval_table_error(struct eval *e, struct subject about);
/* Something else does not answer for now: 451 4.3.0 Temporary lookup failure. */
enum outcome eval_lookup_error(struct eval *e, struct subject about);
/* Leaves a deferral pending until the end of the evaluation. */
void eval_defer_if_permit(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason);
void eval_defer_if_reject(
    struct eval *e, int code, const char *dsn, struct subject about, const char *reason);
/* A restriction that could not find out for now, by its *_tempfail_action: defers now or at the
 * end. */
enum outcome eval_tempfail(struct eval *e, const char *action, int code, const char *dsn,
    struct subject about, const char *reason);
/* The end of the evaluation: strikes when a deferral is pending. */
enum outcome eval_settle(struct eval *e);
/* Permits, with the log line of smtpd_log_access_permit_actions; table may be NULL. */
enum outcome eval_permit(
    struct eval *e, const char *action, struct subject about, const char *table);
/* An enhanced code of a table or template as it fits what the reply is about: recipient codes
 * become sender codes, and so on (access(5), ENHANCED STATUS CODES). The result is in the arena. */
const char *eval_fit_dsn(struct eval *e, const char *dsn, const char *class);

/* What a list's generic verdicts name. */
struct subject eval_subject(struct eval *e);
struct subject eval_client(struct eval *e); /* name[addr]: Client host */
struct subject eval_helo(struct eval *e);
struct subject eval_sender(struct eval *e);
struct subject eval_recipient(struct eval *e);

/* Routes of recipient and sender, asked for once. NULL when the service does not answer. May wait.
 */
const struct resolved *eval_rcpt_route(struct eval *e);
const struct resolved *eval_sender_route(struct eval *e);

/* Evaluates a list of restrictions that a table gave as its result for about. May wait. */
enum outcome eval_text(struct eval *e, str restrictions, struct subject about);

enum destination { DEST_OURS, DEST_FOREIGN, DEST_UNKNOWN };
/* Whether we deliver or relay for the recipient's domain. May wait. */
enum destination eval_destination(struct eval *e);

/* The restrictions of restrict.tbl. */
#define RESTRICTION(name, function, argument)                                                      \
	enum outcome check_##function(struct eval *e, const struct rule *r);
#include "smtpd/restrict.tbl"
#undef RESTRICTION

/* What begins as an address literal must be one: false when it is, or else the refusal is in *o. */
bool check_helo_literal(struct eval *e, enum outcome *o);
/* Implicit checks at the end of the recipient's lists (check_unlisted.c). */
enum outcome check_rcpt_exists(struct eval *e);
enum outcome check_sender_exists(struct eval *e);
void eval_setup(void);
void check_unlisted_setup(void);
void check_client_setup(void);
void check_login_setup(void);
void check_rbl_setup(void);

#endif
