#include "qmgr/schedule.h"

#include "base/clock.h"
#include "param/param.h"

#include <stdlib.h>

#define RETRY STR("retry")

static struct job *job_get(struct message *m, struct transport *t)
{
	struct job *j;

	LIST_FOREACH (j, &m->jobs, struct job, in_message) {
		if (j->transport == t)
			return j;
	}
	j = arena_zero(&m->arena, sizeof(*j));
	j->transport = t;
	j->message = m;
	j->since_us = clock_wall_us();
	list_init(&j->in_stack);
	list_init(&j->in_fresh);
	list_init(&j->peers);
	list_append(&m->jobs, &j->in_message);
	return j;
}

#define PEERS_LISTED 8 /* more of them than that are found through a hash table */

static struct peer *peer_find(struct job *j, struct destination *d)
{
	struct peer *p;

	if (d->last_filed && d->last_filed->job == j)
		return d->last_filed;
	if (j->by_destination)
		return htab_get(j->by_destination, str_mem(&d, sizeof(d)));
	LIST_FOREACH (p, &j->peers, struct peer, in_job) {
		if (p->destination == d)
			return p;
	}
	return NULL;
}

static struct peer *peer_get(struct job *j, struct destination *d)
{
	struct peer *p = peer_find(j, d), *q;

	if (!p) {
		p = arena_zero(&j->message->arena, sizeof(*p));
		p->job = j;
		p->destination = d;
		list_init(&p->entries);
		list_append(&j->peers, &p->in_job);
		if (++j->npeers > PEERS_LISTED && !j->by_destination) {
			j->by_destination = mem_zero(sizeof(*j->by_destination));
			LIST_FOREACH (q, &j->peers, struct peer, in_job) {
				htab_set(j->by_destination,
				    str_mem(&q->destination, sizeof(q->destination)), q);
			}
		} else if (j->by_destination) {
			htab_set(j->by_destination, str_mem(&d, sizeof(d)), p);
		}
	}
	d->last_filed = p;
	return p;
}

/* Puts a peer with waiting entries into its destination's order, or takes an empty one out. */
static void peer_update(struct peer *p)
{
	struct destination *d = p->destination;
	uint64_t turn = p->picks > 0xffff ? 0xffff : p->picks;

	heap_remove(&d->peers, &p->order);
	if (!list_empty(&p->entries)) {
		p->order.key = p->job->message->order << 16 | turn;
		heap_add(&d->peers, &p->order);
	} else if (d->last_filed == p) {
		d->last_filed = NULL;
	}
	destination_update(d);
}

static void entry_wait(struct entry *e, bool first)
{
	struct peer *p = e->peer;

	if (first)
		list_prepend(&p->entries, &e->link);
	else
		list_append(&p->entries, &e->link);
	p->destination->waiting++;
	p->job->waiting++;
	p->job->transport->waiting++;
	if (!p->order.index)
		peer_update(p);
	preempt_filed(p->job);
}

static void entry_add(struct entry *e, uint32_t index, str address)
{
	struct arena *a = &e->message->arena;

	if (e->n == e->cap) {
		uint32_t cap = e->cap ? e->cap * 4 : 1;
		struct entry_rcpt *v = arena_alloc(a, cap * sizeof(*v));

		if (e->n)
			memcpy(v, e->v, e->n * sizeof(*v));
		e->v = v;
		e->cap = cap;
	}
	e->v[e->n++] = (struct entry_rcpt){index, address};
	e->message->filed++;
}

/* "4.4.1 reason", what the retry service takes for its next hop. */
static str retry_nexthop(struct arena *a, const char *dsn, const char *prefix, str reason)
{
	return str_of(arena_printf(a, "%s %s%.*s", dsn, prefix, STR_FMT(reason)));
}

#define SUSPENDED "delivery temporarily suspended: "

/* Where a recipient goes that cannot go where it should: changes transport and nexthop. False: it
 * cannot go anywhere and has its fate. */
static bool detour(struct message *m, uint32_t index, struct transport **t, str *nexthop)
{
	bool is_retry = str_eq(str_of((*t)->name), RETRY);
	str why = str_of((*t)->reason);

	if ((*t)->dead && is_retry) {
		message_defer(m, index, (*t)->dsn, why);
		return false;
	}
	if ((*t)->dead)
		*nexthop = retry_nexthop(&m->arena, (*t)->dsn, "", why);
	else if ((*t)->deferred && !m->flush && !is_retry)
		*nexthop = retry_nexthop(&m->arena, "4.3.2", "", STR("deferred transport"));
	else
		return true;
	*t = transport_get(RETRY);
	return !(*t)->dead || detour(m, index, t, nexthop);
}

static struct destination *destination_for(
    struct message *m, struct transport *t, str nexthop, str address)
{
	str key = nexthop;

	if (t->destination_recipients == 1)
		key = str_of(
		    arena_printf(&m->arena, "%.*s\n%.*s", STR_FMT(address), STR_FMT(nexthop)));
	return destination_get(t, key);
}

void schedule_file(
    struct message *m, uint32_t index, str transport, str nexthop, str address, str sender)
{
	struct transport *t = transport_get(transport);
	struct destination *d;
	struct entry *e = NULL;
	struct peer *p;
	uint32_t limit;

	if (!detour(m, index, &t, &nexthop))
		return;
	d = destination_for(m, t, nexthop, address);
	if (d->dead && !str_eq(str_of(t->name), RETRY)) {
		nexthop = retry_nexthop(&m->arena, d->dsn, SUSPENDED, str_of(d->reason));
		schedule_file(m, index, RETRY, nexthop, address, sender);
		return;
	}
	limit = t->destination_recipients > 0 ? (uint32_t)t->destination_recipients : UINT32_MAX;
	p = peer_get(job_get(m, t), d);
	if (!list_empty(&p->entries))
		e = LIST_ITEM(p->entries.prev, struct entry, link);
	if (!e || e->n >= limit || sender.p || e->sender.p) {
		e = arena_zero(&m->arena, sizeof(*e));
		e->message = m;
		e->peer = p;
		e->sender = sender;
		entry_add(e, index, address);
		entry_wait(e, false);
	} else {
		entry_add(e, index, address);
	}
	t->recipients++;
	transport_work(t);
}

uint32_t schedule_room(const struct message *m)
{
	uint32_t least = (uint32_t)conf.qmgr_message_recipient_minimum;
	uint32_t refill = UINT32_MAX;
	int64_t room = 0;
	struct job *j;

	if (list_empty(&m->jobs)) /* its transports are not known yet */
		return (uint32_t)conf.default_recipient_limit + least;
	LIST_FOREACH (j, &m->jobs, struct job, in_message) {
		struct transport *t = j->transport;
		int64_t left = t->recipient_limit - (int64_t)t->recipients;

		room += left > 0 ? left : 0;
		if (t->refill_limit >= 0 && (uint32_t)t->refill_limit < refill)
			refill = (uint32_t)t->refill_limit;
	}
	if (m->filed < least)
		return room > least ? (uint32_t)room : least;
	return m->filed <= refill ? (uint32_t)room : 0;
}

static struct entry *take(struct peer *p)
{
	struct entry *e = LIST_ITEM(p->entries.next, struct entry, link);
	struct destination *d = p->destination;
	struct job *j = p->job;

	list_remove(&e->link);
	d->waiting--;
	d->busy++;
	j->waiting--;
	j->selected++;
	j->transport->waiting--;
	p->picks++;
	e->message->busy++;
	peer_update(p);
	preempt_chosen(j);
	return e;
}

struct entry *schedule_pick(struct transport *t)
{
	struct heap_node *first = heap_min(&t->ready);
	struct destination *d;
	struct peer *p;
	struct entry *e;

	if (!first || t->dead || t->pausing)
		return NULL;
	preempt_try(t);
	p = preempt_first(t);
	if (!p) {
		d = CONTAINER_OF(first, struct destination, ready);
		p = CONTAINER_OF(heap_min(&d->peers), struct peer, order);
	}
	e = take(p);
	transport_pause(t);
	return e;
}

int schedule_selectable(struct transport *t, int max)
{
	int n = 0;

	if (t->dead || t->pausing)
		return 0;
	for (size_t i = 0; i < t->ready.n && n < max; i++) {
		struct destination *d = CONTAINER_OF(t->ready.v[i], struct destination, ready);
		int room = d->window.size - d->busy;

		n += d->waiting < (size_t)room ? (int)d->waiting : room;
	}
	return n < max ? n : max;
}

void schedule_put_back(struct entry *e)
{
	struct peer *p = e->peer;

	e->message->busy--;
	p->destination->busy--;
	p->job->selected--;
	e->again = true;
	entry_wait(e, true);
	destination_update(p->destination);
	transport_work(p->job->transport);
}

/* An entry that was chosen is off its destination. */
static void entry_off(struct entry *e)
{
	struct destination *d = e->peer->destination;

	e->message->busy--;
	e->peer->job->transport->recipients -= e->n;
	d->busy--;
	destination_update(d);
}

void schedule_done(struct entry *e, enum site site, str dsn, str reason)
{
	struct destination *d = e->peer->destination;

	if (site == SITE_GOOD)
		destination_good(d);
	else if (site == SITE_BAD)
		destination_bad(d, dsn, reason);
	entry_off(e);
	e->message->filed -= e->n;
	destination_pause(d);
	if (d->dead) {
		d->busy++; /* stays while it is emptied */
		if (d->waiting)
			schedule_divert_waiting(d, d->dsn,
			    str_of(arena_printf(&e->message->arena, SUSPENDED "%s", d->reason)));
		d->busy--;
	} else if (d->waiting >= (size_t)conf.qmgr_message_active_limit / 5 * 4) {
		destination_clog(d);
	}
	destination_release(d);
}

/* The recipients of an entry that is nowhere any more. */
static void refile(struct entry *e, str nexthop)
{
	struct message *m = e->message;

	m->filed -= e->n;
	for (uint32_t i = 0; i < e->n; i++)
		if (!(m->marks[e->v[i].index] & MARK_ROUND))
			schedule_file(m, e->v[i].index, RETRY, nexthop, e->v[i].address, e->sender);
}

static void entry_refile(struct entry *e, const char *dsn, str reason)
{
	struct message *m = e->message;

	if (str_eq(str_of(e->peer->job->transport->name), RETRY)) {
		m->filed -= e->n;
		for (uint32_t i = 0; i < e->n; i++)
			if (!(m->marks[e->v[i].index] & MARK_ROUND))
				message_defer(m, e->v[i].index, dsn, reason);
	} else {
		refile(e, retry_nexthop(&m->arena, dsn, "", reason));
	}
}

void schedule_divert(struct entry *e, const char *dsn, str reason)
{
	struct destination *d = e->peer->destination;

	entry_off(e);
	entry_refile(e, dsn, reason);
	destination_release(d);
}

/* Takes the first waiting entry of a peer out. */
static struct entry *unwait(struct peer *p)
{
	struct entry *e = LIST_ITEM(p->entries.next, struct entry, link);

	list_remove(&e->link);
	p->destination->waiting--;
	p->job->waiting--;
	p->job->transport->waiting--;
	p->job->transport->recipients -= e->n;
	return e;
}

void schedule_divert_waiting(struct destination *d, const char *dsn, str reason)
{
	struct heap_node *first;

	while ((first = heap_min(&d->peers))) {
		struct peer *p = CONTAINER_OF(first, struct peer, order);
		struct message *m = p->job->message;

		while (!list_empty(&p->entries))
			entry_refile(unwait(p), dsn, reason);
		peer_update(p);
		preempt_forget(p->job);
		preempt_filed(p->job);
		message_progress(m);
	}
}

uint32_t schedule_withdraw(struct message *m)
{
	uint32_t n = 0;
	struct job *j;
	struct peer *p;

	LIST_FOREACH (j, &m->jobs, struct job, in_message) {
		struct list *at = j->peers.next, *next;

		for (; at != &j->peers; at = next) {
			struct destination *d;

			next = at->next;
			p = LIST_ITEM(at, struct peer, in_job);
			if (list_empty(&p->entries))
				continue;
			while (!list_empty(&p->entries))
				n += unwait(p)->n;
			d = p->destination;
			peer_update(p);
			destination_release(d);
		}
		preempt_forget(j);
	}
	m->filed -= n;
	return n;
}

void schedule_forget(struct message *m)
{
	struct job *j;

	LIST_FOREACH (j, &m->jobs, struct job, in_message) {
		preempt_forget(j);
		if (j->by_destination) {
			htab_free(j->by_destination, NULL);
			free(j->by_destination);
		}
	}
	list_init(&m->jobs);
}
