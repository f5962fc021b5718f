/* Connections kept for the next message to the same host (CONNECTION_CACHE_README). They live in
 * the worker: no other process has to be asked for them. */
#include "smtp/smtp.h"

#include "base/htab.h"
#include "loop/loop.h"
#include "param/param.h"
#include "service/service.h"
#include "table/matchlist.h"

#define KEPT_MAX    1000
#define CLOSING_MAX 100 /* that wait for the reply to QUIT */
#define SWEEP_MS    500

static struct list kept; /* oldest first */
static size_t count;
static struct htab by_key; /* the first struct conn of each key */
static struct timer sweep;
static struct scope closing;
static size_t nclosing;
static struct matchlist *destinations;

static void remember(struct conn *c)
{
	c->next = htab_get(&by_key, str_of(c->key));
	htab_set(&by_key, str_of(c->key), c);
	list_append(&kept, &c->node);
	if (count++ == 0)
		timer_set(&sweep, SWEEP_MS);
}

static void forget(struct conn *c)
{
	struct conn *first = htab_get(&by_key, str_of(c->key)), **p = &first;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->next = NULL;
	if (first)
		htab_set(&by_key, str_of(c->key), first);
	else
		htab_del(&by_key, str_of(c->key));
	list_remove(&c->node);
	count--;
}

static bool is_stale(const struct conn *c)
{
	return loop_now() - c->idle_ms >= conf.smtp_connection_cache_time_limit * 1000L;
}

static void close_now(void *arg)
{
	conn_close(arg);
	nclosing--;
}

void cache_close(struct conn *c)
{
	c->work = NULL;
	if (c->broken || nclosing >= CLOSING_MAX) {
		conn_free(c);
		return;
	}
	nclosing++;
	co_start(&closing, "quit", close_now, c);
}

/* Connections that are old, or whose server closed or said something unasked (421). */
static void on_sweep(void *arg)
{
	struct conn *c;

	(void)arg;
	LIST_FOREACH (c, &kept, struct conn, node) {
		bool spoken = stream_input_ready(c->io);
		if (!spoken && !is_stale(c))
			continue;
		c->broken |= spoken;
		forget(c);
		cache_close(c);
	}
	if (count > 0)
		timer_set(&sweep, SWEEP_MS);
}

void cache_setup(void)
{
	list_init(&kept);
	scope_init(&closing);
	timer_init(&sweep, on_sweep, NULL);
	destinations = matchlist_open("smtp_connection_cache_destinations",
	    conf.smtp_connection_cache_destinations, MATCH_STRING);
}

struct conn *cache_take(const char *key)
{
	struct conn *c;

	while ((c = htab_get(&by_key, str_of(key))) != NULL) {
		forget(c);
		c->broken |= stream_input_ready(c->io);
		if (!c->broken && !is_stale(c))
			return c;
		cache_close(c);
	}
	return NULL;
}

static bool is_worn(const struct conn *c)
{
	if (conf.smtp_connection_reuse_count_limit > 0 &&
	    c->uses > conf.smtp_connection_reuse_count_limit)
		return true;
	return loop_now() - c->opened_ms >= conf.smtp_connection_reuse_time_limit * 1000L;
}

static bool is_wanted(const struct delivery *d, const struct nexthop *n)
{
	struct err err;

	if (conf.smtp_connection_cache_on_demand && (d->m.flags & DELIVER_REUSE))
		return true;
	return !matchlist_empty(destinations) &&
	       matchlist_name(destinations, n->host, &err) == TABLE_FOUND;
}

void cache_give(struct conn *c, const struct delivery *d, const struct nexthop *n, const char *key)
{
	bool keep = !c->broken && !c->closing && !service_draining() && count < KEPT_MAX &&
		    !is_worn(c) && is_wanted(d, n);

	if (keep && c->in_transaction) {
		c->phase = "sending RSET";
		chat_put(c, conf.smtp_rset_timeout, "RSET");
		keep = chat_reply(c, conf.smtp_rset_timeout) == 0 && c->reply.code / 100 == 2 &&
		       !service_draining() && count < KEPT_MAX; /* still */
		c->in_transaction = false;
	}
	if (!keep) {
		cache_close(c);
		return;
	}
	if (!c->key)
		c->key = mem_strdup(key);
	reply_free(&c->reply);
	c->work = NULL;
	c->idle_ms = loop_now();
	remember(c);
}

void cache_drain(void)
{
	struct conn *c;

	LIST_FOREACH (c, &kept, struct conn, node) {
		forget(c);
		chat_put(c, 1, "QUIT");
		stream_flush(c->io, deadline_in(100));
		conn_free(c);
	}
}
