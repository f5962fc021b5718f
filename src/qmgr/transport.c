#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "qmgr/schedule.h"

static struct htab transports;
static bool work_deferred;

static struct feedback feedback_of(const char *transport, const char *suffix, const char *fallback)
{
	const char *text = conf_transport_str(transport, suffix, fallback);
	struct feedback f;
	struct err err;

	if (feedback_parse(&f, str_of(text), &err) == 0)
		return f;
	log_warn("%s%s: %s; using 1", transport, suffix, err.text);
	return (struct feedback){.amount = 1};
}

static void configure(struct transport *t)
{
	const char *n = t->name;
	struct window_limits *w = &t->window;

	t->destination_recipients = conf_transport_int(
	    n, "_destination_recipient_limit", conf.default_destination_recipient_limit);
	t->recipient_limit =
	    conf_transport_int(n, "_recipient_limit", conf.default_recipient_limit) +
	    conf_transport_int(n, "_extra_recipient_limit", conf.default_extra_recipient_limit);
	t->refill_limit =
	    conf_transport_int(n, "_recipient_refill_limit", conf.default_recipient_refill_limit);
	t->slot_cost =
	    conf_transport_int(n, "_delivery_slot_cost", conf.default_delivery_slot_cost);
	t->slot_loan =
	    conf_transport_int(n, "_delivery_slot_loan", conf.default_delivery_slot_loan);
	t->slot_discount =
	    conf_transport_int(n, "_delivery_slot_discount", conf.default_delivery_slot_discount);
	t->slots_minimum =
	    conf_transport_int(n, "_minimum_delivery_slots", conf.default_minimum_delivery_slots);
	t->destination_delay =
	    conf_transport_time(n, "_destination_rate_delay", conf.default_destination_rate_delay);
	t->delay =
	    conf_transport_time(n, "_transport_rate_delay", conf.default_transport_rate_delay);
	w->max = conf_transport_int(
	    n, "_destination_concurrency_limit", conf.default_destination_concurrency_limit);
	w->initial = conf_transport_int(
	    n, "_initial_destination_concurrency", conf.initial_destination_concurrency);
	if (t->destination_delay > 0) /* a rate means one after the other */
		w->max = w->initial = 1;
	if (w->initial < 1)
		w->initial = 1;
	w->cohorts = conf_transport_int(n, "_destination_concurrency_failed_cohort_limit",
	    conf.default_destination_concurrency_failed_cohort_limit);
	w->positive = feedback_of(n, "_destination_concurrency_positive_feedback",
	    conf.default_destination_concurrency_positive_feedback);
	w->negative = feedback_of(n, "_destination_concurrency_negative_feedback",
	    conf.default_destination_concurrency_negative_feedback);
}

static bool is_deferred(str name)
{
	str rest = str_of(conf.defer_transports), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq(word, name))
			return true;
	return false;
}

struct transport *transport_get(str name)
{
	struct transport *t = htab_get(&transports, name);

	if (t)
		return t;
	t = mem_zero(sizeof(*t));
	t->name = str_dup(name);
	list_init(&t->stack);
	for (int i = 0; i < FRESH_SIZES; i++)
		list_init(&t->fresh[i]);
	agents_init(&t->agents);
	configure(t);
	t->deferred = is_deferred(name);
	htab_set(&transports, name, t);
	return t;
}

struct transport *transport_first(void)
{
	struct htab_entry *e = htab_next(&transports, NULL);

	return e ? e->value : NULL;
}

struct transport *transport_next(struct transport *t)
{
	struct htab_entry *e = htab_next(&transports, htab_find(&transports, str_of(t->name)));

	return e ? e->value : NULL;
}

static void work(void *arg)
{
	(void)arg;
	work_deferred = false;
	for (struct transport *t = transport_first(); t; t = transport_next(t))
		if (t->ready.n)
			agents_run(t);
}

void transport_work(struct transport *t)
{
	(void)t;
	if (work_deferred)
		return;
	work_deferred = true;
	loop_defer(work, NULL);
}

static void revive(struct later *due)
{
	struct transport *t = CONTAINER_OF(due, struct transport, due);

	t->dead = t->pausing = false;
	later_stop(&t->due);
	transport_work(t);
}

void transport_fail(struct transport *t, const char *dsn, const char *reason)
{
	if (t->dead)
		return;
	t->dead = true;
	t->dsn = dsn;
	t->reason = reason;
	later_set(&t->due, conf.transport_retry_time * INT64_C(1000), revive);
	for (struct htab_entry *e = htab_next(&t->destinations, NULL), *next; e; e = next) {
		struct destination *d = e->value;

		next = htab_next(&t->destinations, e);
		d->busy++; /* stays while it is looked at */
		schedule_divert_waiting(d, dsn, str_of(reason));
		d->busy--;
		destination_release(d);
	}
}

void transport_revive_all(void)
{
	for (struct transport *t = transport_first(); t; t = transport_next(t)) {
		if (t->dead)
			revive(&t->due);
		for (struct htab_entry *e = htab_next(&t->destinations, NULL), *next; e; e = next) {
			struct destination *d = e->value;

			next = htab_next(&t->destinations, e);
			if (d->dead)
				destination_revive(d);
		}
	}
}

/* Between two deliveries of a transport_rate_delay. */
void transport_pause(struct transport *t)
{
	if (t->delay <= 0 || t->dead)
		return;
	t->pausing = true;
	later_set(&t->due, t->delay * INT64_C(1000), revive);
}
