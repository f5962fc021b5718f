/* Where recipients go: coroutines ask the rewrite service, and file a message's recipients in
 * batches. */
#include "base/mem.h"
#include "ipc/rewrite.h"
#include "log/log.h"
#include "mail/dsn.h"
#include "mail/verp.h"
#include "param/param.h"
#include "qmgr/active.h"
#include "qmgr/schedule.h"
#include "service/service.h"

#include <stdlib.h>

#define ROUTERS 12

struct routed {
	uint32_t index;
	str transport, nexthop, address, sender;
};

static struct list queue = {&queue, &queue};
static struct cond wanted;
static size_t idle;

void route_add(struct message *m)
{
	m->stage = STAGE_RESOLVING;
	list_append(&queue, &m->link);
	if (idle)
		cond_wake_one(&wanted);
}

static str domain_of(str address)
{
	ptrdiff_t at = str_rchr(address, '@');

	return at < 0 ? str_of(conf.myorigin) : str_from(address, (size_t)at + 1);
}

/* "transport:nexthop", and what an empty next hop means for a filter. */
static void by_filter(str filter, struct routed *r)
{
	ptrdiff_t colon = str_chr(filter, ':');

	r->transport = colon < 0 ? filter : str_head(filter, (size_t)colon);
	r->nexthop = colon < 0 ? STR("") : str_from(filter, (size_t)colon + 1);
	if (!r->nexthop.n)
		r->nexthop = str_of(conf.default_filter_nexthop);
	if (!r->nexthop.n)
		r->nexthop = domain_of(r->address);
}

/* Mail to our own double-bounce address ends here, or it could go around for ever. */
static bool is_double_bounce(const struct message *m, const struct resolved *to)
{
	ptrdiff_t at = str_rchr(to->recipient, '@');
	str local = at < 0 ? to->recipient : str_head(to->recipient, (size_t)at);

	(void)m;
	return (to->flags & RESOLVE_LOCAL) &&
	       str_eq_nocase(local, str_of(conf.double_bounce_sender));
}

static void failed(struct routed *r, const char *why)
{
	r->transport = STR("retry");
	r->nexthop = str_of(why);
}

/* Fills in *r. False: the recipient has its fate. May wait. */
static bool resolve(struct message *m, struct routed *r)
{
	const struct ipc_env_rcpt *to = &m->env.rcpts[r->index];
	str filter = envelope_attr(&m->env, "content_filter");
	int64_t deadline = deadline_in(conf.qmgr_ipc_timeout * INT64_C(1000));
	struct resolved res = {0};
	struct err err;

	r->address = to->address;
	if (rewrite_resolve(
		m->env.sender.address, to->address, false, &m->arena, &res, deadline, &err)) {
		if (!service_draining())
			log_warn("%s: %s", m->ref.id, err.text);
		failed(r, "4.3.0 address resolver failure");
		return true;
	}
	if (res.flags & RESOLVE_FAIL) {
		failed(r, "4.3.0 address resolver failure");
		return true;
	}
	if (is_double_bounce(m, &res)) {
		message_sent(
		    m, r->index, "2.0.0", "undeliverable postmaster notification discarded");
		return false;
	}
	r->transport = res.transport;
	r->nexthop = res.nexthop;
	r->address = res.recipient;
	if (((res.flags & RESOLVE_ERROR) && !(res.transport.n && res.nexthop.n)) ||
	    (!conf.allow_min_user && str_starts(r->address, STR("-")))) {
		r->transport = str_of(conf.error_service_name);
		r->nexthop = STR("5.1.3 bad address syntax");
	} else if (filter.n)
		by_filter(filter, r);
	if (!r->transport.n)
		failed(r, "4.3.0 address resolver failure");
	return true;
}

/* The sender of a message that wants an address of its own for each recipient. */
static void set_verp(struct message *m, struct routed *r)
{
	str delims = envelope_attr(&m->env, "verp_delimiters");
	struct buf sender = {0};

	if (!(m->env.sender.flags & SENDER_VERP))
		return;
	if (!delims.n)
		delims = str_of(conf.default_verp_delimiters);
	verp_sender(&sender, delims, m->env.sender.address, r->address);
	r->sender = arena_str(&m->arena, buf_view(&sender));
	buf_free(&sender);
}

static uint32_t batch_size(const struct message *m)
{
	uint32_t left = (uint32_t)m->env.nrcpts - m->cursor;
	uint32_t most = schedule_room(m);

	if (most < 1)
		most = 1;
	return left < most ? left : most;
}

/* Routes the next batch, then files it as a whole, so that recipients of one destination meet. */
static void route(struct message *m)
{
	uint32_t size = batch_size(m), n = 0;
	struct routed one, *v = size == 1 ? &one : mem_alloc(size * sizeof(*v));

	while (m->cursor < m->env.nrcpts && n < size && !m->super) {
		uint32_t index = m->cursor++;

		if (rcpt_final(&m->env.status[index]) || (m->marks[index] & MARK_ROUND))
			continue;
		v[n] = (struct routed){.index = index};
		if (!resolve(m, &v[n]))
			continue;
		set_verp(m, &v[n]);
		n++;
	}
	for (uint32_t i = 0; i < n && !m->super; i++)
		schedule_file(
		    m, v[i].index, v[i].transport, v[i].nexthop, v[i].address, v[i].sender);
	if (v != &one)
		free(v);
	m->stage = STAGE_DELIVERING;
	message_progress(m);
}

static void router(void *arg)
{
	(void)arg;
	for (;;) {
		struct message *m;

		if (list_empty(&queue)) {
			enum wait w;

			idle++;
			w = cond_wait(&wanted, FOREVER);
			idle--;
			if (w != WAIT_OK)
				return;
			continue;
		}
		m = LIST_ITEM(queue.next, struct message, link);
		list_remove(&m->link);
		route(m);
		if (co_cancelled())
			return;
	}
}

void route_start(void)
{
	cond_init(&wanted);
	for (int i = 0; i < ROUTERS; i++)
		co_start(service_scope(), "router", router, NULL);
}
