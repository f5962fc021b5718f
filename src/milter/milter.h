/* The MTA side of the milter protocol (Sendmail 8, versions 2 to 6).
 *
 * A struct milters is a list as main.cf has it, parsed once. A struct milter_chain is the
 * conversation with all of them in one SMTP session: smtpd asks it at each command; at DATA it goes
 * to cleanup (milter_handover.h), which shows it the message, while smtpd keeps its own end for the
 * next message. cleanup makes chains of its own for mail that did not come over SMTP.
 *
 * One failure policy covers dialling, negotiation, time-outs, garbage and lost connections: it is
 * applied inside, logged with the milter's name, and seen by the caller only as an answer.
 * All functions that ask may wait, at most as long as the milter's time limits say. */
#ifndef POSTERN_MILTER_MILTER_H
#define POSTERN_MILTER_MILTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hostaddr.h"
#include "loop/co.h"

/* Parses "inet:host:port unix:path { inet:..., connect_timeout=.. }"; never NULL. An entry that
 * makes no sense is warned of (param names the parameter) and kept: it tells every session
 * 451 4.3.5. Lives until the process ends. */
struct milters;
struct milters *milters_parse(const char *param, const char *list);
bool milters_empty(const struct milters *m);

/* The value of a macro ("i", "{rcpt_addr}") at this moment, or {NULL, 0}: not known, not sent. What
 * the caller does not know is looked up in milter_macro_defaults; j, v, {daemon_name} and the like
 * are known here. */
typedef str (*milter_macro)(void *ctx, str name);

enum milter_verdict {
	MILTER_CONTINUE,
	MILTER_REPLY,	   /* refuse with answer.reply */
	MILTER_DISCARD,	   /* the message is accepted and forgotten */
	MILTER_DISCONNECT, /* refuse with answer.reply (421 ...) and close */
};
struct milter_answer {
	enum milter_verdict verdict;
	str reply; /* whole reply, several lines separated by '\n'; valid until the next question */
	const char *milter; /* who said so: "inet:127.0.0.1:10025" */
	bool hold;	 /* quarantine was asked for, or is the default action of one that failed */
	str hold_reason; /* of the milter, or "default_action" */
};

/* A chain without connections yet. m may be an empty list; then every answer is CONTINUE. */
struct milter_chain *milter_chain_new(
    const struct milters *m, milter_macro macro, void *ctx, const char *log_client);
/* Says QUIT to those that are connected, and frees it. NULL is allowed. May wait a moment. */
void milter_chain_free(struct milter_chain *c);
/* Whether any milter has a say about the present message: one that wants to see it, or has refused
 * the session. */
bool milter_chain_wants_message(const struct milter_chain *c);

/* Events, in the order of the session; each is sent to those milters that did not decline it. Every
 * decision other than to go on is logged here, with milter, stage and time, under the queue ID that
 * the macro callback gives for "i". client_name and client_addr: "unknown" when not known. */
struct milter_answer milter_connect(struct milter_chain *c, const char *client_name,
    const char *client_addr, const char *client_port, const struct hostaddr *sock);
struct milter_answer milter_helo(struct milter_chain *c, str name);
/* path: "<x@y>" as smtpd shows it; args: ESMTP parameters as given. */
struct milter_answer milter_mail(struct milter_chain *c, str path, const str *args, size_t nargs);
struct milter_answer milter_rcpt(struct milter_chain *c, str path, const str *args, size_t nargs);
/* A recipient that we refuse ourselves: shown only to milters that asked for them (SMFIP_RCPT_REJ).
 */
void milter_rcpt_rejected(struct milter_chain *c, str path, const str *args, size_t nargs);
bool milter_wants_rejected(const struct milter_chain *c); /* whether anybody asked for them */
struct milter_answer milter_data(struct milter_chain *c);
struct milter_answer milter_unknown(struct milter_chain *c, str verb);
/* Whether the session as a whole was refused, by a milter or because one has failed: asks nobody.
 */
struct milter_answer milter_session(struct milter_chain *c);
/* The mail transaction has ended without a message, or with one. */
void milter_abort(struct milter_chain *c);

#endif
