/* A request and its answer, with all that may go wrong between. */
#include "policyproto/policy_int.h"

#include "dns/dns.h"
#include "log/log.h"

#include <errno.h>

/* --- connecting */

static struct stream *dial_inet(struct policy_server *p, int64_t deadline, struct err *err)
{
	struct arena a = {0};
	struct hostaddr *list;
	struct stream *io = NULL;
	struct err why = {0};
	size_t n = 0;

	if (dns_host_lookup(p->host, AF_UNSPEC, &a, &list, &n, &why) != DNS_OK) {
		log_warn("host or service %s not found: %s", p->name, why.text);
		err_errno(err, EADDRNOTAVAIL, "connect to %s", p->name);
	}
	for (size_t i = 0; i < n && !io; i++) {
		hostaddr_set_port(&list[i], p->port);
		io = stream_connect(&list[i], NULL, deadline, err);
	}
	arena_free(&a);
	return io;
}

struct stream *policy_dial(struct policy_server *p, struct err *err)
{
	int64_t deadline = deadline_in(p->set.timeout * 1000L);
	struct stream *io =
	    p->path ? stream_connect_unix(p->path, deadline, err) : dial_inet(p, deadline, err);

	if (io || err->code == ECANCELED)
		return io;
	log_warn("connect to %s: %s", p->name, strerror(err->code));
	err_set(err, "%s", strerror(err->code));
	return NULL;
}

/* --- one attempt */

enum attempt { GOOD, BAD, STALE }; /* STALE: a kept connection that had ended */

static void explain(enum wait w, struct err *err)
{
	if (w == WAIT_EOF)
		err_set(err, "connection closed before its answer was complete");
	else if (w == WAIT_ERROR)
		err_set(err, "%s", strerror(errno));
	else
		err_set(err, "%s", w == WAIT_TIMEOUT ? strerror(ETIMEDOUT) : wait_name(w));
}

/* What follows the answer at once was not asked for; what it says would be taken for the next
 * answer. */
static bool is_out_of_step(const struct policy_conn *c)
{
	if (stream_buffered(c->io) == 0)
		return false;
	log_warn("policy server %s says more than its answer: the connection is closed",
	    c->server->name);
	return true;
}

/* May wait. */
static enum wait exchange(struct policy_conn *c, str request, struct policy_answer *a,
    enum policy_state *state, struct err *err)
{
	int64_t deadline = deadline_in(c->server->set.timeout * 1000L);
	enum wait w = stream_write(c->io, request.p, request.n, deadline);
	size_t used;
	str data;

	if (w == WAIT_OK)
		w = stream_flush(c->io, deadline);
	while (w == WAIT_OK && *state == POLICY_MORE) {
		w = stream_peek(c->io, 1, &data, deadline);
		if (w != WAIT_OK)
			break;
		*state = policy_answer_feed(a, data, &used, err);
		stream_consume(c->io, used);
	}
	return w;
}

/* May wait. */
static enum attempt attempt(struct policy_server *p, struct policy_owner *owner, str request,
    bool fresh, struct buf *action, struct err *err)
{
	enum policy_state state = POLICY_MORE;
	struct policy_answer a = {0};
	struct policy_conn *c;
	enum wait w;
	bool kept;

	c = policy_conn_get(p, owner, fresh, &kept, err);
	if (!c)
		return BAD;
	w = exchange(c, request, &a, &state, err);
	if (state == POLICY_DONE) {
		buf_free(action);
		*action = a.action;
	} else {
		buf_free(&a.action);
	}
	if (state == POLICY_DONE && !is_out_of_step(c)) {
		policy_conn_put(c);
		return GOOD;
	}
	policy_conn_drop(c);
	if (state == POLICY_DONE)
		return GOOD;
	if (w != WAIT_OK)
		explain(w, err);
	return kept && a.total == 0 && (w == WAIT_EOF || w == WAIT_ERROR) ? STALE : BAD;
}

int policy_ask(struct policy_server *p, struct policy_owner *owner, str request, struct buf *action)
{
	int tries = p->set.try_limit;
	bool fresh = false;
	struct err err = {0};

	while (tries-- > 0) {
		enum attempt r = attempt(p, owner, request, fresh, action, &err);

		if (r == GOOD)
			return 0;
		if (co_cancelled())
			return -1;
		fresh = true;	  /* what was kept may be no better */
		if (r == STALE) { /* the server's good right between requests */
			tries += tries == 0;
			continue;
		}
		log_warn("problem talking to server %s: %s", p->name, err.text);
		if (tries > 0 && co_sleep(p->set.retry_delay * 1000L) != WAIT_OK)
			return -1;
	}
	return -1;
}
