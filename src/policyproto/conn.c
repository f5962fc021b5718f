/* The connections to a server: who has which, and until when. */
#include "policyproto/policy_int.h"

#include "base/mem.h"

#include <stdlib.h>

static void disown(struct policy_conn *c)
{
	struct policy_conn **at;

	if (!c->owner)
		return;
	for (at = &c->owner->conns; *at != c; at = &(*at)->next_owned)
		;
	*at = c->next_owned;
	c->owner = NULL;
	c->next_owned = NULL;
}

static void own(struct policy_conn *c, struct policy_owner *owner)
{
	if (c->owner == owner)
		return;
	disown(c);
	c->owner = owner;
	if (owner) {
		c->next_owned = owner->conns;
		owner->conns = c;
	}
}

/* One that no request uses. */
static void close_conn(struct policy_conn *c)
{
	disown(c);
	list_remove(&c->node);
	c->server->open--;
	stream_free(c->io);
	free(c);
}

void policy_conn_drop(struct policy_conn *c)
{
	struct policy_server *p = c->server;

	close_conn(c);
	sema_give(&p->turns);
}

/* --- expiry */

static struct policy_conn *oldest(struct list *l)
{
	return list_empty(l) ? NULL : LIST_ITEM(l->next, struct policy_conn, node);
}

static void expire_list(struct list *l, int64_t before)
{
	struct policy_conn *c;

	while ((c = oldest(l)) && c->used <= before)
		close_conn(c);
}

static void set_timer(struct policy_server *p)
{
	struct policy_conn *a = oldest(&p->idle), *b = oldest(&p->kept);
	int64_t used = a && (!b || a->used < b->used) ? a->used : b ? b->used : 0;

	if (a || b)
		timer_set(&p->expire, used + p->set.max_idle * 1000L - loop_now() + 1);
}

static void expire(void *arg)
{
	struct policy_server *p = arg;
	int64_t before = loop_now() - p->set.max_idle * 1000L;

	expire_list(&p->idle, before);
	expire_list(&p->kept, before);
	set_timer(p);
}

/* Whether it can take another request. Input that nobody asked for is the end of the connection, or
 * a server that is out of step: its next answer would be taken for that to another question. */
static bool is_fit(const struct policy_conn *c)
{
	const struct policy_settings *set = &c->server->set;
	int64_t now = loop_now();

	return now - c->used < set->max_idle * 1000L && now - c->born < set->max_ttl * 1000L &&
	       !stream_input_ready(c->io);
}

/* --- getting one */

static struct policy_conn *take(struct policy_conn *c)
{
	if (c && !is_fit(c)) {
		close_conn(c);
		return NULL;
	}
	if (c)
		list_remove(&c->node);
	return c;
}

static struct policy_conn *take_owned(struct policy_server *p, struct policy_owner *owner)
{
	struct policy_conn *c = owner ? owner->conns : NULL;

	while (c && c->server != p)
		c = c->next_owned;
	return take(c);
}

/* The one that was used last, so that those that are too many come to their end. */
static struct policy_conn *take_idle(struct policy_server *p)
{
	struct policy_conn *c = NULL;

	while (!c && !list_empty(&p->idle))
		c = take(LIST_ITEM(p->idle.prev, struct policy_conn, node));
	return c;
}

/* May wait. */
static struct policy_conn *connect_new(struct policy_server *p, struct err *err)
{
	struct policy_conn *c;
	struct stream *io;

	p->open++;
	io = policy_dial(p, err);
	if (!io) {
		p->open--;
		return NULL;
	}
	c = mem_zero(sizeof *c);
	list_init(&c->node);
	c->server = p;
	c->io = io;
	c->born = c->used = loop_now();
	return c;
}

/* There is a turn for every connection that may be open: when all are, one is without a request. */
static void make_place(struct policy_server *p)
{
	if (p->open < p->set.connections)
		return;
	close_conn(list_empty(&p->idle) ? oldest(&p->kept) : oldest(&p->idle));
}

static struct policy_conn *get(
    struct policy_server *p, struct policy_owner *owner, bool fresh, bool *kept, struct err *err)
{
	struct policy_conn *c = take_owned(p, owner);

	if (c && fresh) {
		close_conn(c);
		c = NULL;
	}
	if (!c && !fresh)
		c = take_idle(p);
	if (!c && !fresh && p->open >= p->set.connections)
		c = take(oldest(&p->kept));
	*kept = c != NULL;
	if (!c) {
		make_place(p);
		c = connect_new(p, err);
	}
	if (c)
		own(c, owner);
	return c;
}

struct policy_conn *policy_conn_get(
    struct policy_server *p, struct policy_owner *owner, bool fresh, bool *kept, struct err *err)
{
	enum wait w = sema_take(&p->turns, deadline_in(p->set.timeout * 1000L));
	struct policy_conn *c = NULL;

	if (w == WAIT_OK)
		c = get(p, owner, fresh, kept, err);
	else
		err_set(err, "no connection is free: %s", wait_name(w));
	if (w == WAIT_OK && !c)
		sema_give(&p->turns);
	return c;
}

/* --- giving it back */

static bool is_used_up(const struct policy_conn *c)
{
	const struct policy_settings *set = &c->server->set;

	return (set->request_limit && c->requests >= set->request_limit) ||
	       loop_now() - c->born >= set->max_ttl * 1000L;
}

void policy_conn_put(struct policy_conn *c)
{
	struct policy_server *p = c->server;
	bool first = list_empty(&p->idle) && list_empty(&p->kept);

	c->used = loop_now();
	c->requests++;
	if (is_used_up(c)) {
		policy_conn_drop(c);
		return;
	}
	list_append(c->owner ? &p->kept : &p->idle, &c->node);
	sema_give(&p->turns);
	if (first) /* else it is set, for an earlier time */
		set_timer(p);
}

void policy_release(struct policy_owner *owner)
{
	struct policy_conn *c;

	while ((c = owner->conns)) {
		disown(c);
		list_remove(&c->node);
		c->used = loop_now(); /* both lists are in this order */
		list_append(&c->server->idle, &c->node);
	}
}

/* --- servers */

void policy_server_free(struct policy_server *p)
{
	expire_list(&p->idle, INT64_MAX);
	expire_list(&p->kept, INT64_MAX);
	timer_free(&p->expire);
	free(p->path);
	free(p->host);
	free(p->name);
	free(p);
}

static int take_endpoint(struct policy_server *p, str text, struct err *err)
{
	struct endpoint e;
	int port;

	if (str_starts(text, STR("local:"))) {
		e = (struct endpoint){.is_unix = true, .path = str_from(text, 6)};
	} else if (!str_starts(text, STR("inet:")) && !str_starts(text, STR("unix:"))) {
		return err_set(err, "\"%.*s\": need inet:host:port or unix:path",
		    STR_FMT(str_head(text, 200)));
	} else if (endpoint_parse(&e, text, err) < 0) {
		return -1;
	}
	if (e.is_unix) {
		p->path = str_dup(e.path);
		p->name = str_dup(e.path);
		return e.path.n ? 0 : err_set(err, "a socket without a path");
	}
	port = endpoint_port(e.port, err);
	if (port < 0)
		return -1;
	p->port = (uint16_t)port;
	p->host = str_dup(e.host.n ? e.host : STR("localhost"));
	p->name = str_dup(str_from(text, 5));
	return 0;
}

struct policy_server *policy_server_new(
    str endpoint, const struct policy_settings *settings, struct err *err)
{
	struct policy_server *p = mem_zero(sizeof *p);

	p->set = *settings;
	list_init(&p->idle);
	list_init(&p->kept);
	sema_init(&p->turns, settings->connections);
	timer_init(&p->expire, expire, p);
	if (take_endpoint(p, endpoint, err) == 0)
		return p;
	policy_server_free(p);
	return NULL;
}
