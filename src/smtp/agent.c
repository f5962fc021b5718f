/* A delivery request: from next hop to next hop, from host to host, until nobody is left. */
#include "smtp/agent.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "param/param.h"
#include "queue/queue.h"
#include "smtp/smtp.h"

#include <stdio.h>

/* What is known of the attempts so far. */
struct attempt {
	struct delivery *d;
	struct trouble t;     /* of the last failure */
	struct trouble soft;  /* of the last one that time may heal; text NULL: there was none */
	const char *unlogged; /* what the last host did, for the log if another one is tried */
	int sessions;	      /* with the hosts of one next hop, for the limit */
	bool reached;	      /* some server answered */
	bool over;	      /* another host is no help */
	bool no_fallback;
	bool fell_back; /* smtp_fallback_relay was tried */
};

static void fail(struct attempt *a)
{
	if (!a->t.permanent)
		a->soft = a->t;
}

static const char *key_of(struct attempt *a, const struct host *h)
{
	char text[HOSTADDR_TEXT];

	if (h->path)
		return h->path;
	return arena_printf(&a->d->arena, "%s[%s]:%u", h->name, hostaddr_text(&h->addr, text),
	    hostaddr_port(&h->addr));
}

/* What the host before said is history now. */
static void next_host(struct attempt *a)
{
	char id[QUEUE_ID_MAX];

	fate_forget_notes(a->d);
	if (a->unlogged) {
		snprintf(id, sizeof(id), "%.*s", STR_FMT(a->d->m.queue_id));
		log_smtp_server(id, a->unlogged);
	}
	a->unlogged = NULL;
}

/* One transaction; takes c over. False: it was a kept connection that was of no use any more. */
static bool use_conn(
    struct attempt *a, struct conn *c, const struct nexthop *n, const char *key, bool kept)
{
	enum tx_result r;

	a->d->conn_us = clock_wall_us();
	r = transaction_run(c, a->d, kept, &a->t);
	if (r == TX_LOST && kept) {
		c->broken = true;
		cache_close(c);
		fate_forget_notes(a->d);
		return false;
	}
	a->reached = true;
	a->sessions++;
	if (r == TX_OURS) {
		a->over = true;
		fate_settle(a->d, &a->t);
	} else if (r != TX_DONE) {
		fail(a);
		fate_note_all(a->d, &a->t, c);
	}
	cache_give(c, a->d, n, key);
	return true;
}

static void try_host(struct attempt *a, const struct host *h, const struct nexthop *n)
{
	static int smtp_port;
	const char *key = key_of(a, h);
	struct conn *c;

	if (!smtp_port)
		smtp_port = endpoint_port(STR("smtp"), NULL);
	next_host(a);
	while ((c = cache_take(key)) != NULL)
		if (use_conn(a, c, n, key, true))
			return;
	c = conn_open(a->d, h, !h->path && n->port == smtp_port, &a->t);
	if (c) {
		use_conn(a, c, n, key, false);
		return;
	}
	fail(a);
	if (strcmp(a->t.relay, "none") != 0)
		a->unlogged = a->t.text;
	if (a->t.permanent)
		fate_trouble_all(a->d, &a->t, NULL);
}

static bool goes_on(const struct attempt *a)
{
	return !a->over && fate_pending(a->d) &&
	       (conf.smtp_mx_session_limit <= 0 || a->sessions < conf.smtp_mx_session_limit);
}

static void try_nexthop(struct attempt *a, const struct nexthop *n)
{
	struct hosts found;

	a->sessions = 0;
	hosts_find(a->d, n, &found, &a->t);
	a->no_fallback |= found.is_mx;
	if (found.is_best_mx && *conf.best_mx_transport) {
		bestmx_pass(a->d, &a->t);
		a->over = a->reached = true;
		fate_settle(a->d, &a->t);
		return;
	}
	a->over |= found.is_best_mx; /* the next hop in the list is no way round a loop */
	if (!found.list)
		fail(a);
	for (const struct host *h = found.list; h && goes_on(a); h = h->next)
		try_host(a, h, n);
}

static void try_list(struct attempt *a, str list)
{
	struct nexthop n;
	struct err err;
	int more = 0;

	while (!a->over && fate_pending(a->d) &&
	       (more = nexthop_next(&list, str_of(conf.smtp_tcp_port), &n, &err)) > 0)
		try_nexthop(a, &n);
	if (more < 0) {
		log_warn("%.*s: %s", STR_FMT(a->d->m.queue_id), err.text);
		a->t = (struct trouble){.dsn = "4.3.5",
		    .text = arena_cstr(&a->d->arena, str_of(err.text)),
		    .relay = "none"};
		fail(a);
	}
}

/* When the way that all mail goes cannot be gone, the fault is in our configuration: mail waits
 * until it is mended, and is not returned. */
static void spare_mail(struct attempt *a)
{
	const char *param = a->fell_back ? "smtp_fallback_relay" : "relayhost";

	if (!a->t.permanent || a->reached || strcmp(a->t.relay, "none") != 0)
		return;
	if (!a->fell_back && !str_eq_nocase(a->d->m.nexthop, str_of(conf.relayhost)))
		return;
	log_warn("%s configuration problem", param);
	a->t.permanent = false;
	a->t.dsn = "4.3.5";
}

void agent_deliver(struct delivery *d)
{
	struct attempt a = {.d = d, .t = {.dsn = "4.3.0", .text = "no next hop", .relay = "none"}};

	try_list(&a, d->m.nexthop);
	if (!a.no_fallback && !a.over && *conf.smtp_fallback_relay && fate_pending(d)) {
		a.fell_back = true;
		try_list(&a, str_of(conf.smtp_fallback_relay));
	}
	if (!fate_pending(d))
		return;
	if (a.t.permanent && a.soft.text)
		a.t = a.soft;
	spare_mail(&a);
	if (!a.reached && !a.t.permanent)
		delivery_site_dead(d, a.t.dsn, a.t.text);
	fate_settle(d, &a.t);
}
