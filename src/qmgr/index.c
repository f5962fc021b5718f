#include "qmgr/index.h"

#include "base/htab.h"
#include <stdlib.h>

static struct item **slots;
static size_t nslots, count;

struct item *index_find(const char *id)
{
	uint32_t hash = (uint32_t)htab_hash(str_of(id));

	if (!nslots)
		return NULL;
	for (struct item *i = slots[hash & (nslots - 1)]; i; i = i->chain)
		if (i->hash == hash && strcmp(i->id, id) == 0)
			return i;
	return NULL;
}

static void grow(void)
{
	size_t n = nslots ? nslots * 2 : 1024;
	struct item **v = mem_zero(n * sizeof(*v));

	for (size_t at = 0; at < nslots; at++) {
		for (struct item *i = slots[at], *next; i; i = next) {
			next = i->chain;
			i->chain = v[i->hash & (n - 1)];
			v[i->hash & (n - 1)] = i;
		}
	}
	free(slots);
	slots = v;
	nslots = n;
}

struct item *index_add(const char *id, enum item_state state)
{
	size_t n = strlen(id);
	struct item *i;

	if (index_find(id))
		return NULL;
	if (count >= nslots)
		grow();
	i = mem_zero(sizeof(*i) + n + 1);
	memcpy(i->id, id, n);
	i->hash = (uint32_t)htab_hash(str_of(id));
	i->state = state;
	if (state == ITEM_INCOMING)
		list_init(&i->link);
	i->chain = slots[i->hash & (nslots - 1)];
	slots[i->hash & (nslots - 1)] = i;
	count++;
	return i;
}

void index_remove(struct item *i)
{
	struct item **p = &slots[i->hash & (nslots - 1)];

	while (*p != i)
		p = &(*p)->chain;
	*p = i->chain;
	count--;
	if (i->state != ITEM_ACTIVE)
		free(i->ref);
	free(i);
}

size_t index_count(void)
{
	return count;
}

void index_each(void (*fn)(struct item *i, void *arg), void *arg)
{
	for (size_t at = 0; at < nslots; at++)
		for (struct item *i = slots[at]; i; i = i->chain)
			fn(i, arg);
}

static void add_name(struct item *i, void *arg)
{
	buf_add(arg, i->id, strlen(i->id) + 1);
}

void index_names(struct buf *out)
{
	index_each(add_name, out);
}

void item_ref(const struct item *i, struct queue_ref *ref)
{
	if (i->ref) {
		*ref = *i->ref;
		return;
	}
	memset(ref, 0, sizeof(*ref));
	memcpy(ref->id, i->id, strlen(i->id) + 1);
	ref->lane = LANE_FILE;
	memcpy(ref->queue, "deferred", sizeof("deferred"));
}

void item_set_ref(struct item *i, const struct queue_ref *ref)
{
	free(i->ref);
	i->ref = NULL;
	if (i->state == ITEM_DEFERRED && ref->lane == LANE_FILE && !strcmp(ref->queue, "deferred"))
		return;
	i->ref = mem_alloc(sizeof(*ref));
	*i->ref = *ref;
}
