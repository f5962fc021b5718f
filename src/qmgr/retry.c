/* Deferred messages, in memory a small item each, by the time of their next attempt. */
#include "base/clock.h"
#include "qmgr/active.h"
#include "qmgr/later.h"

#define MINUTE_MS 60000

static struct heap heap;
static struct later due;

static void fire(struct later *d)
{
	(void)d;
	active_run();
}

static void arm(void)
{
	struct heap_node *first = heap_min(&heap);
	int64_t wait;

	if (!first) {
		later_stop(&due);
		return;
	}
	wait = ((int64_t)first->key - clock_wall_us()) / 1000 + 1;
	/* the wall clock may be set: look again before long */
	later_set(&due, wait < MINUTE_MS ? wait : MINUTE_MS, fire);
}

void retry_add(struct item *i, int64_t when_us)
{
	i->state = ITEM_DEFERRED;
	i->due = (struct heap_node){.key = (uint64_t)(when_us > 0 ? when_us : 0)};
	heap_add(&heap, &i->due);
	if (heap_min(&heap) == &i->due || !later_is_set(&due))
		arm();
}

void retry_remove(struct item *i)
{
	heap_remove(&heap, &i->due);
	if (!i->ref) {
		struct queue_ref ref;

		item_ref(i, &ref);
		i->state = ITEM_MOVING;
		item_set_ref(i, &ref);
	}
	i->state = ITEM_MOVING;
}

struct item *retry_first(void)
{
	struct heap_node *first = heap_min(&heap);

	if (!first || (int64_t)first->key > clock_wall_us()) {
		arm();
		return NULL;
	}
	return CONTAINER_OF(first, struct item, due);
}

void retry_now(struct item *i)
{
	heap_remove(&heap, &i->due);
	i->flags |= ITEM_FLUSH;
	retry_add(i, clock_wall_us());
}

size_t retry_flush(void)
{
	uint64_t now = (uint64_t)clock_wall_us(), last = 0;

	for (size_t n = 0; n < heap.n; n++)
		if (heap.v[n]->key > last)
			last = heap.v[n]->key;
	for (size_t n = 0; n < heap.n; n++) {
		struct heap_node *node = heap.v[n];

		/* all by the same amount: their order stays, and so does the heap */
		if (last > now)
			node->key = node->key > last - now ? node->key - (last - now) : 0;
		CONTAINER_OF(node, struct item, due)->flags |= ITEM_FLUSH;
	}
	arm();
	return heap.n;
}

size_t retry_count(void)
{
	return heap.n;
}
