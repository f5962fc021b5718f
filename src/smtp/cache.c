/* Connections kept for the next message to the same next hop (CONNECTION_CACHE_README). They live
 * in the worker: no other process has to be asked for them. */
#include "smtp/smtp.h"

#include "base/htab.h"
#include "loop/loop.h"
#include "param/param.h"
#include "table/matchlist.h"

static struct list kept; /* least recently used first */
static struct timer sweep;
static struct matchlist *destinations;

#define KEPT_MAX 1000
static size_t count;

static void forget(struct conn *c)
{
	list_remove(&c->node);
	count--;
}

static bool expired(const struct conn *c)
{
	return loop_now() - c->idle_ms >= conf.smtp_connection_cache_time_limit * 1000L;
}

static struct scope closing;

static void close_one(void *arg)
{
	conn_close(arg);
}

static void on_sweep(void *arg)
{
	struct conn *c;

	(void)arg;
	LIST_FOREACH (c, &kept, struct conn, node)
		if (expired(c) || stream_input_ready(c->io)) {
			forget(c);
			co_start(&closing, "quit", close_one, c);
		}
	if (count > 0)
		timer_set(&sweep, 500);
}

void cache_setup(void)
{
	list_init(&kept);
	scope_init(&closing);
	timer_init(&sweep, on_sweep, NULL);
	destinations = matchlist_open("smtp_connection_cache_destinations",
	    conf.smtp_connection_cache_destinations, MATCH_STRING);
}

/* A server that closed, or said something unasked (421), is no good any more. */
struct conn *cache_take(const char *key)
{
	struct conn *c;

	LIST_FOREACH (c, &kept, struct conn, node) {
		if (strcmp(c->key, key) != 0)
			continue;
		forget(c);
		if (!stream_input_ready(c->io) && !expired(c))
			return c;
		c->broken = stream_input_ready(c->io);
		conn_close(c);
		return cache_take(key);
	}
	return NULL;
}

void cache_keep(struct conn *c)
{
	c->idle_ms = loop_now();
	if (count >= KEPT_MAX) {
		conn_close(c);
		return;
	}
	list_append(&kept, &c->node);
	if (count++ == 0)
		timer_set(&sweep, 500);
}

bool cache_wanted(const struct delivery *d, const struct nexthop *n, const struct conn *c)
{
	struct err err;

	if (c->broken || c->in_transaction)
		return false;
	if (conf.smtp_connection_reuse_count_limit > 0 &&
	    c->uses >= conf.smtp_connection_reuse_count_limit)
		return false;
	if (loop_now() - c->opened_ms >= conf.smtp_connection_reuse_time_limit * 1000L)
		return false;
	if (conf.smtp_connection_cache_on_demand && (d->m.flags & DELIVER_REUSE))
		return true;
	return !matchlist_empty(destinations) &&
	       matchlist_name(destinations, n->host, &err) == TABLE_FOUND;
}
