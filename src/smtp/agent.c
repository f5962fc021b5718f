/* A delivery request: from next hop to next hop, from host to host, until nobody is left. */
#include "smtp/agent.h"

#include "base/clock.h"
#include "log/log.h"
#include "param/param.h"
#include "smtp/smtp.h"

#include <stdio.h>

/* What is known of the attempts so far. */
struct attempt {
	struct delivery *d;
	struct trouble t;	 /* of the last failure */
	int sessions, addresses; /* tried, for the limits */
	bool reached;		 /* some server answered */
};

static const char *conn_key(struct attempt *a, const struct host *h, const struct nexthop *n)
{
	char text[HOSTADDR_TEXT];

	(void)n;
	return h->path ? h->path
		       : arena_printf(&a->d->arena, "%s[%s]:%u", h->name,
			     hostaddr_text(&h->addr, text), hostaddr_port(&h->addr));
}

/* A probe ends before DATA; its verdict is what RCPT got. */
static void done_with(struct attempt *a, struct conn *c, const struct nexthop *n, const char *key)
{
	if (cache_wanted(a->d, n, c)) {
		if (!c->key)
			c->key = mem_strdup(key);
		cache_keep(c);
	} else {
		conn_close(c);
	}
}

/* A kept connection that turns out to be dead is no failure: a new one is made. */
static bool try_kept(struct attempt *a, const struct nexthop *n, const char *key)
{
	struct conn *c = cache_take(key);
	struct trouble t;

	if (!c)
		return false;
	a->d->conn_us = clock_wall_us();
	if (transaction_run(c, a->d, &t) < 0) {
		conn_close(c);
		return false;
	}
	a->reached = true;
	done_with(a, c, n, key);
	return true;
}

static void try_host(struct attempt *a, const struct host *h, const struct nexthop *n)
{
	const char *key = conn_key(a, h, n);
	struct conn *c;
	bool refused;

	fate_log_noted(a->d);
	if (try_kept(a, n, key))
		return;
	c = conn_open(a->d, h, n, n->default_port && !h->path, &a->t, &refused);
	if (!c)
		return;
	a->sessions++;
	a->reached = true;
	a->d->conn_us = clock_wall_us();
	if (transaction_run(c, a->d, &a->t) < 0) {
		for (size_t i = 0; i < a->d->nrcpts; i++)
			if (!a->d->rcpts[i].done && !a->d->rcpts[i].aux)
				fate_trouble(a->d, &a->d->rcpts[i], &a->t, c);
		conn_close(c);
		return;
	}
	done_with(a, c, n, key);
}

static bool within_limits(const struct attempt *a)
{
	if (conf.smtp_mx_session_limit > 0 && a->sessions >= conf.smtp_mx_session_limit)
		return false;
	return conf.smtp_mx_address_limit <= 0 || a->addresses < conf.smtp_mx_address_limit;
}

static void try_nexthop(struct attempt *a, const struct nexthop *n)
{
	struct host *h = hosts_find(a->d, n, &a->t);

	a->sessions = a->addresses = 0;
	for (; h && fate_pending(a->d) && within_limits(a); h = h->next) {
		a->addresses++;
		try_host(a, h, n);
		if (a->t.permanent && !a->reached)
			break;
	}
}

/* False: the list has a syntax error (a->t says so). */
static bool try_list(struct attempt *a, str list)
{
	struct nexthop n;
	struct err err;
	int more = 0;

	while (fate_pending(a->d) && (more = nexthop_next(&list, &n, &err)) > 0)
		try_nexthop(a, &n);
	if (more < 0) {
		log_warn("%.*s: %s", STR_FMT(a->d->m.queue_id), err.text);
		a->t = (struct trouble){.dsn = "4.3.5",
		    .text = arena_cstr(&a->d->arena, str_of(err.text)),
		    .relay = "none"};
	}
	return more >= 0;
}

void agent_deliver(struct delivery *d)
{
	struct attempt a = {.d = d, .t = {.dsn = "4.3.0", .text = "no next hop", .relay = "none"}};

	if (try_list(&a, d->m.nexthop) && fate_pending(d) && !a.t.permanent &&
	    *conf.smtp_fallback_relay && !smtp_is_lmtp())
		try_list(&a, str_of(conf.smtp_fallback_relay));
	if (!a.reached && !a.t.permanent && fate_pending(d))
		delivery_site_dead(d, a.t.dsn, a.t.text);
	fate_settle(d, &a.t);
}
