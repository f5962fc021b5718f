/* The client's side of the policy delegation protocol: an SMTP server asks others what to do.
 *
 * A request is lines "name=value" and an empty line; so is the answer, in which only the value of
 * "action" matters. What the action means is the asker's business.
 *
 * The connections to one server are shared by the sessions of a worker and kept between requests.
 * All requests about one message (one owner) go over the same connection as long as it lives, and
 * others keep off it meanwhile, because a server may hold what it knows of a message until it hears
 * of another one. Only when every connection that may be open belongs to somebody is the one taken
 * away that was not used for the longest time. */
#ifndef POSTERN_POLICYPROTO_POLICY_H
#define POSTERN_POLICYPROTO_POLICY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hostaddr.h"
#include "loop/co.h"

#define POLICY_ANSWER_MAX (128 * 1024) /* bytes of an answer with all its lines */

/* --- requests: text that policy_ask() sends */

/* Appends "name=value" and a line end. Line ends and NULs in the value become '?'. */
void policy_put(struct buf *request, const char *name, str value);
void policy_put_number(struct buf *request, const char *name, uint64_t value);
void policy_put_end(struct buf *request); /* the empty line */

/* --- answers, as they come in */

enum policy_state { POLICY_MORE, POLICY_DONE, POLICY_BAD };
struct policy_answer {	   /* {0} at first; buf_free(&action) at the end */
	struct buf action; /* value of the first "action", as sent */
	bool have_action;
	enum { POLICY_IN_NAME, POLICY_IN_ACTION, POLICY_IN_OTHER } at;
	char name[32]; /* of the line under way, cut */
	size_t nname, total;
};
/* Takes what came. *used: how much of it belongs to the answer. POLICY_DONE: action is complete;
 * POLICY_BAD and err: this is no answer, or one above POLICY_ANSWER_MAX. */
enum policy_state policy_answer_feed(
    struct policy_answer *a, str data, size_t *used, struct err *err);

/* --- servers */

struct policy_settings {
	int timeout;	   /* seconds: for connecting, and again for request and answer */
	int max_idle;	   /* seconds: a connection that is not used is closed */
	int max_ttl;	   /* seconds: an older one is closed between requests */
	int request_limit; /* requests per connection; 0: no limit */
	int try_limit;	   /* attempts at a request, at least 1 */
	int retry_delay;   /* seconds between them */
	long connections;  /* at the same time, at least 1 */
};
struct policy_server;

/* "inet:host:port", "unix:path" or "local:path". NULL and err for anything else. Never freed by
 * smtpd: servers live as long as the configuration. */
struct policy_server *policy_server_new(
    str endpoint, const struct policy_settings *settings, struct err *err);
void policy_server_free(struct policy_server *p); /* no request may be under way */

/* On whose behalf several requests are made: one message. {0} at first. */
struct policy_owner {
	struct policy_conn *conns;
};
/* Gives the connections of an owner back to everybody. */
void policy_release(struct policy_owner *owner);

/* Asks; action is filled with the answer's. owner may be NULL: a request that stands alone. Each
 * failed attempt is logged, with the server's name; -1 when none succeeded, or the coroutine was
 * cancelled. May wait. */
int policy_ask(
    struct policy_server *p, struct policy_owner *owner, str request, struct buf *action);

#endif
