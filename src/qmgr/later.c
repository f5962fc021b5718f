#include "qmgr/later.h"

#include "loop/co.h"
#include "loop/loop.h"

static struct heap dues;
static struct timer timer;
static uint64_t timer_at; /* 0: not set */

static void fire(void *arg);

static void arm(void)
{
	struct heap_node *first = heap_min(&dues);
	int64_t now = loop_now();

	if (!first || first->key == timer_at)
		return;
	if (!timer.fn)
		timer_init(&timer, fire, NULL);
	timer_at = first->key;
	timer_set(&timer, (int64_t)first->key > now ? (int64_t)first->key - now : 0);
}

static void fire(void *arg)
{
	struct heap_node *first;

	(void)arg;
	timer_at = 0;
	while ((first = heap_min(&dues)) && (int64_t)first->key <= loop_now()) {
		struct later *d = CONTAINER_OF(first, struct later, node);

		heap_remove(&dues, first);
		d->fn(d);
	}
	arm();
}

void later_set(struct later *d, int64_t milliseconds, void (*fn)(struct later *d))
{
	later_stop(d);
	d->fn = fn;
	d->node.key = (uint64_t)(loop_now() + (milliseconds > 0 ? milliseconds : 0));
	heap_add(&dues, &d->node);
	arm();
}

void later_stop(struct later *d)
{
	heap_remove(&dues, &d->node); /* a timer that fires for nobody does no harm */
}
