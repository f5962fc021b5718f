/* Attempts before their time: everything, one message, one site. */
#include "loop/work.h"
#include "qmgr/active.h"
#include "qmgr/schedule.h"

#include <stdlib.h>

void flush_letters(str letters)
{
	bool dead = false, all = false;

	for (size_t i = 0; i < letters.n; i++) {
		dead |= letters.p[i] == 'F';
		all |= letters.p[i] == 'A';
	}
	if (dead)
		transport_revive_all();
	if (all)
		retry_flush();
	active_run(); /* D, I, W */
}

static uint64_t flush_one(str id)
{
	char name[QUEUE_ID_MAX];
	struct item *i;

	if (id.n >= sizeof(name))
		return 0;
	memcpy(name, id.p, id.n);
	name[id.n] = 0;
	i = index_find(name);
	if (!i || i->state != ITEM_DEFERRED)
		return 0;
	retry_now(i);
	return 1;
}

/* --- a site: the envelopes of what is deferred are read, a handful at a time */

#define CHUNK 64

struct chunk {
	str site;
	struct queue_ref v[CHUNK];
	bool match[CHUNK];
	size_t n;
};

static bool goes_to(const struct envelope *e, str site)
{
	for (size_t i = 0; i < e->nrcpts; i++) {
		ptrdiff_t at = str_rchr(e->rcpts[i].address, '@');

		if (!rcpt_final(&e->status[i]) && at >= 0 &&
		    str_eq_nocase(str_from(e->rcpts[i].address, (size_t)at + 1), site))
			return true;
	}
	return false;
}

static void read_chunk(void *arg)
{
	struct chunk *c = arg;

	for (size_t i = 0; i < c->n; i++) {
		struct arena a = {0};
		struct envelope e = {0};

		c->match[i] =
		    queue_read_envelope(&c->v[i], &e, &a, NULL) == 0 && goes_to(&e, c->site);
		arena_free(&a);
	}
}

static uint64_t flush_chunk(struct chunk *c)
{
	uint64_t count = 0;

	work_run(read_chunk, c);
	for (size_t i = 0; i < c->n; i++)
		if (c->match[i])
			count += flush_one(str_of(c->v[i].id));
	c->n = 0;
	return count;
}

static uint64_t flush_site(str site)
{
	struct chunk *c = mem_zero(sizeof(*c));
	struct buf names = {0};
	uint64_t count = 0;

	c->site = site;
	index_names(&names);
	for (size_t at = 0; at < names.n; at += strlen(names.p + at) + 1) {
		struct item *i = index_find(names.p + at);

		if (!i || i->state != ITEM_DEFERRED)
			continue;
		item_ref(i, &c->v[c->n++]);
		if (c->n == CHUNK)
			count += flush_chunk(c);
	}
	count += flush_chunk(c);
	buf_free(&names);
	free(c);
	return count;
}

uint64_t flush_do(str id, str site)
{
	uint64_t count;

	transport_revive_all();
	if (id.n)
		count = flush_one(id);
	else if (site.n)
		count = flush_site(site);
	else
		count = retry_flush();
	active_run();
	return count;
}
