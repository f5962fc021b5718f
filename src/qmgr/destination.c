#include "log/log.h"
#include "loop/co.h"
#include "param/param.h"
#include "qmgr/schedule.h"

#include <stdlib.h>
#include <time.h>

/* Dead destinations that are remembered though nothing waits for them, over all transports. */
static size_t dead_count;

struct destination *destination_get(struct transport *t, str name)
{
	struct destination *d = htab_get(&t->destinations, name);
	ptrdiff_t cut = str_chr(name, '\n');

	if (d)
		return d;
	d = mem_zero(sizeof(*d) + name.n + 1);
	d->transport = t;
	memcpy(d->name, name.p, name.n);
	d->nexthop = d->name + cut + 1;
	window_init(&d->window, &t->window);
	htab_set(&t->destinations, name, d);
	return d;
}

void destination_release(struct destination *d)
{
	if (d->busy || d->waiting || d->dead || d->pausing)
		return;
	heap_remove(&d->transport->ready, &d->ready);
	htab_del(&d->transport->destinations, str_of(d->name));
	later_stop(&d->due);
	heap_free(&d->peers);
	free(d->dsn);
	free(d->reason);
	free(d);
}

void destination_update(struct destination *d)
{
	struct heap *ready = &d->transport->ready;
	struct heap_node *first = heap_min(&d->peers);
	bool can = first && !d->dead && !d->pausing && d->busy < d->window.size;

	if (!can) {
		heap_remove(ready, &d->ready);
	} else if (!d->ready.index || d->ready.key != first->key) {
		heap_remove(ready, &d->ready);
		d->ready.key = first->key;
		heap_add(ready, &d->ready);
	}
}

static void debug(const struct destination *d, const char *what)
{
	if (conf.destination_concurrency_feedback_debug)
		log_info("%s: %s:%s window %d busy %d success %.3f failure %.3f fail_cohorts %.3f",
		    what, d->transport->name, d->nexthop, d->window.size, d->busy,
		    d->window.success, d->window.failure, d->window.cohorts);
}

void destination_good(struct destination *d)
{
	if (d->dead)
		return;
	window_good(&d->window, &d->transport->window, d->busy);
	debug(d, "positive feedback");
}

static void revive(struct later *due)
{
	destination_revive(CONTAINER_OF(due, struct destination, due));
}

void destination_revive(struct destination *d)
{
	if (d->dead)
		dead_count--;
	d->dead = d->pausing = false;
	later_stop(&d->due);
	window_init(&d->window, &d->transport->window);
	destination_update(d);
	if (d->ready.index)
		transport_work(d->transport);
	destination_release(d);
}

void destination_bad(struct destination *d, str dsn, str reason)
{
	bool dead;

	if (d->dead)
		return;
	dead = window_bad(&d->window, &d->transport->window);
	debug(d, dead ? "dead" : "negative feedback");
	if (!dead || dead_count >= (size_t)conf.qmgr_message_recipient_limit)
		return;
	d->dead = true;
	dead_count++;
	free(d->dsn);
	free(d->reason);
	d->dsn = str_dup(dsn.n ? dsn : STR("4.4.1"));
	d->reason = str_dup(reason);
	later_set(&d->due, conf.minimal_backoff_time * INT64_C(1000), revive);
	destination_update(d);
}

void destination_pause(struct destination *d)
{
	if (d->transport->destination_delay <= 0 || d->dead)
		return;
	d->pausing = true;
	later_set(&d->due, d->transport->destination_delay * INT64_C(1000), revive);
	destination_update(d);
}

void destination_clog(struct destination *d)
{
	time_t now = time(NULL);

	if (!conf.helpful_warnings || conf.qmgr_clog_warn_time <= 0)
		return;
	if (!d->clog_warned)
		d->clog_warned = now;
	if (now - d->clog_warned < conf.qmgr_clog_warn_time)
		return;
	d->clog_warned = now;
	log_warn("mail for %s is using up %zu of %d active queue entries; more mail for other "
		 "destinations has to wait (see %s_destination_concurrency_limit, or give it a "
		 "transport of its own)",
	    d->nexthop, d->waiting, conf.qmgr_message_active_limit, d->transport->name);
}
