/* The scheduler alone: windows, order, grouping, fairness, preemption, dead destinations, rates.
 * Agents are a loop that takes an entry and gives it back. */
// with: src/qmgr/schedule.c src/qmgr/preempt.c src/qmgr/destination.c src/qmgr/transport.c
// src/qmgr/later.c src/qmgr/feedback.c
#include "qmgr/schedule.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "loop/co.h"
#include "loop/loop.h"

static int deferred;
static uint64_t order;

void agents_init(struct agents *a)
{
	list_init(&a->idle);
	list_init(&a->all);
}
void agents_run(struct transport *t)
{
	(void)t;
}
void message_defer(struct message *m, uint32_t index, const char *dsn, str reason)
{
	(void)dsn, (void)reason;
	m->marks[index] |= MARK_ROUND;
	deferred++;
}
void message_progress(struct message *m)
{
	(void)m;
}

static struct message *message(uint32_t rcpts)
{
	struct message *m = mem_zero(sizeof(*m));

	m->env.nrcpts = rcpts;
	m->marks = arena_zero(&m->arena, rcpts);
	list_init(&m->jobs);
	m->order = ++order;
	return m;
}

static void end(struct message *m)
{
	schedule_forget(m);
	arena_free(&m->arena);
	free(m);
}

/* n recipients, the i-th at di.test when spread, else all at one. */
static struct message *filed(const char *transport, uint32_t n, const char *nexthop, bool spread)
{
	struct message *m = message(n);

	for (uint32_t i = 0; i < n; i++) {
		char hop[32], rcpt[32];

		snprintf(hop, sizeof(hop), spread ? "%s%u" : "%s", nexthop, i);
		snprintf(rcpt, sizeof(rcpt), "u%u@x.test", i);
		schedule_file(m, i, str_of(transport), str_of(hop),
		    arena_str(&m->arena, str_of(rcpt)), (str){0});
	}
	return m;
}

static struct transport *t_of(const char *name)
{
	return transport_get(str_of(name));
}

static void done_good(struct entry *e)
{
	schedule_done(e, SITE_GOOD, STR(""), STR(""));
}

static void test_window(void)
{
	struct transport *t = t_of("smtp");
	struct entry *e[10];
	struct message *m[8];
	int n = 0;

	for (int i = 0; i < 8; i++)
		m[i] = filed("smtp", 1, "one.test", false);
	is_int(schedule_selectable(t, 100), 5, "as many as the first window");
	while ((e[n] = schedule_pick(t)))
		n++;
	is_int(n, 5, "no more are given out");
	for (int i = 0; i < 5; i++)
		ok(e[i]->message == m[i], "in the order of arrival");
	done_good(e[0]);
	for (n = 5; (e[n] = schedule_pick(t)); n++)
		;
	is_int(n, 7, "a success makes room for itself and for one more");
	schedule_put_back(e[6]);
	ok(schedule_pick(t) == e[6], "what was put back comes first");
	for (int i = 1; i < 7; i++)
		done_good(e[i]);
	e[7] = schedule_pick(t);
	ok(e[7] && e[7]->message == m[7], "the last");
	done_good(e[7]);
	is_int(t->destinations.count, 0, "a destination without work is forgotten");
	for (int i = 0; i < 8; i++) {
		is_int(m[i]->filed, 0, "nothing is filed any more");
		end(m[i]);
	}
}

static void test_grouping(void)
{
	struct transport *t = t_of("smtp"), *one = t_of("single");
	struct message *m = filed("smtp", 7, "group.test", false);
	uint32_t sizes[8];
	struct entry *e[8];
	int n = 0;

	while ((e[n] = schedule_pick(t))) {
		sizes[n] = e[n]->n;
		n++;
	}
	is_int(n, 3, "seven recipients, three at a time");
	ok(sizes[0] == 3 && sizes[1] == 3 && sizes[2] == 1, "3, 3, 1");
	while (n > 0)
		done_good(e[--n]);
	end(m);
	m = filed("single", 4, "group.test", false);
	is_int(one->destinations.count, 4, "recipient limit 1: a destination for each recipient");
	while ((e[n] = schedule_pick(one)))
		n++;
	is_int(n, 4, "all at the same time");
	is_cstr(e[0]->peer->destination->nexthop, "group.test", "with the same next hop");
	while (n > 0)
		done_good(e[--n]);
	end(m);
}

static void test_blocked(void)
{
	struct transport *t = t_of("smtp");
	struct message *slow[200], *m;
	struct entry *e[6], *f;

	for (int i = 0; i < 200; i++)
		slow[i] = filed("smtp", 1, "slow.test", false);
	for (int i = 0; i < 5; i++)
		e[i] = schedule_pick(t);
	ok(!schedule_pick(t), "the slow destination is full");
	m = filed("smtp", 1, "fast.test", false);
	f = schedule_pick(t);
	ok(f && f->message == m, "another one is served past all that waits for it");
	done_good(f);
	end(m);
	is_int(schedule_withdraw(slow[150]), 1, "a message is withdrawn");
	is_int(schedule_withdraw(slow[0]), 0, "one in flight has nothing to withdraw");
	for (int i = 0; i < 5; i++)
		done_good(e[i]);
	for (int n = 0; n < 194; n++) {
		f = schedule_pick(t);
		if (!f)
			break;
		done_good(f);
	}
	is_int(t->waiting, 0, "all the others are served");
	for (int i = 0; i < 200; i++)
		end(slow[i]);
}

static void test_turns(void)
{
	struct transport *t = t_of("smtp");
	struct message *m = message(12);
	struct entry *e[12];
	int of_a = 0;

	for (uint32_t i = 0; i < 12; i++)
		schedule_file(
		    m, i, STR("smtp"), i < 9 ? STR("a.test") : STR("b.test"), STR("x@y"), (str){0});
	for (int i = 0; i < 2; i++) {
		e[i] = schedule_pick(t);
		of_a += !strcmp(e[i]->peer->destination->nexthop, "a.test");
	}
	is_int(of_a, 1, "destinations of one message take turns");
	for (int i = 2; i < 4; i++)
		e[i] = schedule_pick(t);
	for (int i = 0; i < 4; i++)
		done_good(e[i]);
	end(m);
}

/* A large message first, then small ones: the small ones slip past. */
static void test_preempt(const char *transport, bool want)
{
	struct transport *t = t_of(transport);
	struct message *big = filed(transport, 100, "d", true), *small[5];
	int position[5] = {0}, at = 0, late = 0;
	struct entry *e;

	for (int i = 0; i < 5; i++)
		small[i] = filed(transport, 1, "small", false);
	for (; (e = schedule_pick(t)); at++) {
		for (int i = 0; i < 5; i++)
			if (e->message == small[i])
				position[i] = at;
		done_good(e);
	}
	is_int(at, 105, "all entries are delivered");
	for (int i = 0; i < 5; i++)
		late += position[i] >= 100;
	is_int(late, want ? 0 : 5,
	    want ? "small messages go ahead" : "a slot cost of 0: first come, first served");
	if (want)
		ok(position[4] <= 5 * 5 + 5, "not more of them than one for five of the large one");
	end(big);
	for (int i = 0; i < 5; i++)
		end(small[i]);
}

/* What is served, as letters: B for the first message's entries, M for the second's, s for small
 * ones. The orders wanted are those that Postfix 3.7 was seen to choose. */
static void check_order(const char *transport, uint32_t big, uint32_t medium, const char *want)
{
	struct transport *t = t_of(transport);
	struct message *b = filed(transport, big, "b", true), *m = NULL, *small[60] = {0};
	char got[300] = "";
	struct entry *e;
	int nsmall = 0, n = 0;

	if (medium)
		m = filed(transport, medium, "m", true);
	while (n < 298 && (e = schedule_pick(t))) {
		got[n++] = e->message == b ? 'B' : e->message == m ? 'M' : 's';
		done_good(e);
		/* Small ones come when the medium one has begun, or at once. */
		if (nsmall == 0 && (!m || got[n - 1] == 'M'))
			while (nsmall < 60)
				small[nsmall++] = filed(transport, 1, "small", false);
	}
	is_str(str_head(str_of(got), strlen(want)), str_of(want), "the order that was seen");
	end(b);
	if (m)
		end(m);
	while (nsmall > 0)
		end(small[--nsmall]);
}

static void test_orders(void)
{
	/* Borrowed once, and not again before it is paid back. */
	check_order("clever", 20, 0, "BsBBBBBsBBBBBsBBBBBsBBBBs");
	check_order("thirds", 12, 0, "BBBsBBBsBBBsBBBs");
	/* A job that went ahead earns for itself only. */
	check_order("halves", 60, 20,
	    "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	    "MMsMMsMMsMMsMMsMMsMMsMMsMMsMM"
	    "BBsBBsBBsBBsBBsBBsBBsBBsBBsBBs");
}

static void test_dead(void)
{
	struct transport *t = t_of("fragile"), *retry = t_of("retry");
	struct message *m[3];
	struct entry *e;

	for (int i = 0; i < 2; i++)
		m[i] = filed("fragile", 1, "dead.test", false);
	e = schedule_pick(t);
	schedule_done(e, SITE_BAD, STR("4.4.1"), STR("Connection refused"));
	ok(!schedule_pick(t), "nothing more goes to a dead destination");
	e = schedule_pick(retry);
	ok(e && e->message == m[1], "what waited goes to retry");
	is_cstr(e->peer->destination->nexthop,
	    "4.4.1 delivery temporarily suspended: Connection refused", "with the reason");
	done_good(e);
	m[2] = filed("fragile", 1, "dead.test", false);
	e = schedule_pick(retry);
	ok(e && e->message == m[2], "new mail too");
	done_good(e);
	transport_revive_all();
	is_int(t->destinations.count, 0, "a flush forgets what is dead");
	for (int i = 0; i < 3; i++) {
		is_int(m[i]->filed, 0, "nothing is left filed");
		end(m[i]);
	}
}

static void test_transport_fails(void)
{
	struct transport *t = t_of("gone"), *retry = t_of("retry");
	struct message *m = filed("gone", 5, "x.test", true), *n;
	struct entry *e;
	int count = 0;

	e = schedule_pick(t);
	schedule_divert(e, "4.3.0", STR("unknown mail transport error"));
	transport_fail(t, "4.3.0", "mail transport unavailable");
	ok(!schedule_pick(t), "nothing goes to a transport that is away");
	while ((e = schedule_pick(retry))) {
		count += (int)e->n;
		done_good(e);
	}
	is_int(count, 5, "all its recipients go to retry");
	is_int(m->filed, 0, "none is left");
	deferred = 0;
	transport_fail(retry, "4.3.0", "mail transport unavailable");
	n = filed("gone", 3, "x.test", false);
	is_int(deferred, 3, "without retry they are deferred here");
	is_int(n->filed, 0, "and are not filed");
	transport_revive_all();
	end(m);
	end(n);
}

static void test_defer_transports(void)
{
	struct message *m = filed("lazy", 1, "x.test", false), *f = message(1);
	struct entry *e = schedule_pick(t_of("retry"));

	ok(e && e->message == m, "a transport of defer_transports leads to retry");
	is_cstr(e->peer->destination->nexthop, "4.3.2 deferred transport", "which says so");
	done_good(e);
	f->flush = true;
	schedule_file(f, 0, STR("lazy"), STR("x.test"), STR("a@b"), (str){0});
	e = schedule_pick(t_of("lazy"));
	ok(e && e->message == f, "unless it is flushed");
	done_good(e);
	end(m);
	end(f);
}

static void test_rate(void)
{
	struct transport *t = t_of("rated");
	struct message *a = filed("rated", 1, "r.test", false),
		       *b = filed("rated", 1, "r.test", false);
	struct message *c = filed("rated", 1, "s.test", false);
	struct entry *e = schedule_pick(t), *f = schedule_pick(t);
	int64_t start;

	ok(e && e->message == a && f && f->message == c, "one at a time to each destination");
	done_good(e);
	done_good(f);
	ok(!schedule_pick(t), "the next has to wait");
	start = loop_now();
	while (!(e = schedule_pick(t)) && loop_now() - start < 5000)
		co_sleep(20);
	ok(e && e->message == b, "and then gets its turn");
	ok(loop_now() - start >= 900, "after the delay");
	done_good(e);
	end(a);
	end(b);
	end(c);
}

static void test_verp(void)
{
	struct message *m = message(3);
	struct entry *e;
	int n = 0;

	for (uint32_t i = 0; i < 3; i++)
		schedule_file(m, i, STR("smtp"), STR("v.test"), STR("a@b"), STR("list+a=b@c"));
	for (; (e = schedule_pick(t_of("smtp"))); n++)
		done_good(e);
	is_int(n, 3, "a sender for each recipient: a delivery for each");
	end(m);
}

static void tests(void *arg)
{
	(void)arg;
	test_window();
	test_grouping();
	test_blocked();
	test_turns();
	test_preempt("plain", false);
	test_preempt("clever", true);
	test_orders();
	test_dead();
	test_transport_fails();
	test_defer_transports();
	test_verp();
	test_rate();
	exit(done());
}

int main(void)
{
	tmpconf("smtp_destination_recipient_limit = 3\n"
		"single_destination_recipient_limit = 1\n"
		"plain_delivery_slot_cost = 0\n"
		"plain_destination_concurrency_limit = 1000\n"
		"plain_initial_destination_concurrency = 1000\n"
		"clever_destination_concurrency_limit = 1000\n"
		"clever_initial_destination_concurrency = 1000\n"
		"thirds_delivery_slot_cost = 3\n"
		"thirds_delivery_slot_loan = 0\n"
		"thirds_delivery_slot_discount = 0\n"
		"thirds_destination_concurrency_limit = 1000\n"
		"thirds_initial_destination_concurrency = 1000\n"
		"halves_delivery_slot_cost = 2\n"
		"halves_delivery_slot_loan = 0\n"
		"halves_delivery_slot_discount = 0\n"
		"halves_destination_concurrency_limit = 1000\n"
		"halves_initial_destination_concurrency = 1000\n"
		"fragile_initial_destination_concurrency = 1\n"
		"defer_transports = other, lazy\n"
		"rated_destination_rate_delay = 1s\n");
	loop_init();
	loop_run(tests, NULL);
	return 1;
}
