/* The evaluation of restriction lists for one request, as the restrictions see it. */
#ifndef POSTERN_SMTPD_EVAL_H
#define POSTERN_SMTPD_EVAL_H

#include "ipc/rewrite.h"
#include "smtpd/session.h"
#include "table/table.h"

enum outcome {
	OUT_DUNNO,  /* the next restriction decides */
	OUT_OK,     /* ends this list */
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

struct eval {
	struct session *s;
	struct arena *arena;         /* lives as long as the evaluation */
	enum list_id list;
	str etrn;                    /* site of ETRN */
	bool warn;                   /* warn_if_reject stands before this restriction */
	bool rcpt_checked;           /* recipient was looked for in its tables */
	bool sender_checked;
	char defer_if_permit[512];   /* pending reply, "" none */
	char defer_if_reject[512];
	bool have_rcpt_route, have_sender_route;
	struct resolved rcpt_route, sender_route;
	int depth;                   /* of restriction classes and table results */
};

/* Refuses: code by the caller, enhanced code, text. Logs it. With warn_if_reject or a pending
 * defer_if_reject the outcome is theirs. Returns what the restriction should return. */
enum outcome eval_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A table or the configuration is broken: 451 4.3.5 Server configuration error. */
enum outcome eval_config_error(struct eval *e, const char *object, const char *class);
/* A look-up failed for now: 451 4.3.0 Temporary lookup failure. */
enum outcome eval_lookup_error(struct eval *e, const char *object, const char *class);
/* Leaves a deferral pending until the end of the evaluation. */
void eval_defer_if_permit(struct eval *e, int code, const char *dsn, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void eval_defer_if_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* What a list's generic verdicts name: "<user@dom>" and "Recipient address". */
const char *eval_object(struct eval *e);
const char *eval_class(const struct eval *e);

/* Routes of recipient and sender, asked for once. NULL when the service does not answer. May wait. */
const struct resolved *eval_rcpt_route(struct eval *e);
const struct resolved *eval_sender_route(struct eval *e);

/* Evaluates a list of restrictions that a table gave as its result; one that does not exist is an error of
 * that table: object and class are for the reply. May wait. */
enum outcome eval_text_as(struct eval *e, str restrictions, const char *table, const char *object,
    const char *class);
/* Completes (local context) and resolves an address. -1 when the service does not answer. May wait. */
int eval_route(struct eval *e, str address, struct resolved *r);

/* The restrictions of restrict.tbl. */
#define RESTRICTION(name, function, argument, prose)                                                \
	enum outcome check_##function(struct eval *e, const struct rule *r);
#include "smtpd/restrict.tbl"
#undef RESTRICTION

/* Implicit checks at the end of the recipient's lists (check_unlisted.c). */
enum outcome check_rcpt_exists(struct eval *e);
enum outcome check_sender_exists(struct eval *e);
void check_unlisted_setup(void);
void check_client_setup(void);

/* access(5): acts on a table's result (check_access.c). object and class are for the reply. May wait. */
enum outcome access_act(struct eval *e, const char *table, str result, const char *object, const char *class);

#endif
