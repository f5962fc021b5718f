#include "ipc/pool.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "param/param.h"
#include <stdlib.h>

struct kept {
	struct list node;
	struct stream *stream;
	int64_t until; /* loop time */
};
struct ipc_pool {
	char *path;
	int max_idle, count;
	struct list idle; /* struct kept; oldest first */
	struct timer timer;
	bool has_timer;
};

struct ipc_pool *ipc_pool_new(const char *path, int max_idle)
{
	struct ipc_pool *p = mem_zero(sizeof *p);

	p->path = mem_strdup(path);
	p->max_idle = max_idle;
	list_init(&p->idle);
	return p;
}

static void kept_free(struct ipc_pool *p, struct kept *k)
{
	list_remove(&k->node);
	stream_free(k->stream);
	free(k);
	p->count--;
}

static struct kept *oldest(struct ipc_pool *p)
{
	return LIST_ITEM(p->idle.next, struct kept, node);
}

static void close_old(void *arg)
{
	struct ipc_pool *p = arg;
	int64_t now = loop_now();

	while (!list_empty(&p->idle) && oldest(p)->until <= now)
		kept_free(p, oldest(p));
	if (!list_empty(&p->idle))
		timer_set(&p->timer, oldest(p)->until - now);
}

/* The youngest kept connection that still lives, or NULL. */
static struct stream *take_kept(struct ipc_pool *p)
{
	while (!list_empty(&p->idle)) {
		struct kept *k = LIST_ITEM(p->idle.prev, struct kept, node);
		struct stream *s = k->stream;

		/* Nobody owes us anything: what can be read is the end, or nonsense. */
		if (stream_input_ready(s)) {
			kept_free(p, k);
			continue;
		}
		k->stream = NULL;
		kept_free(p, k);
		return s;
	}
	return NULL;
}

struct stream *ipc_pool_get(
    struct ipc_pool *p, bool want_fresh, bool *fresh, int64_t deadline, struct err *err)
{
	struct stream *s = want_fresh ? NULL : take_kept(p);

	*fresh = s == NULL;
	return s ? s : stream_connect_unix(p->path, deadline, err);
}

void ipc_pool_put(struct ipc_pool *p, struct stream *s)
{
	struct kept *k;

	if (p->max_idle <= 0) {
		stream_free(s);
		return;
	}
	if (p->count >= p->max_idle)
		kept_free(p, oldest(p));
	k = mem_zero(sizeof *k);
	k->stream = s;
	k->until = deadline_in((int64_t)conf.ipc_idle * 1000);
	list_append(&p->idle, &k->node);
	p->count++;
	if (!p->has_timer) {
		timer_init(&p->timer, close_old, p);
		p->has_timer = true;
	}
	if (p->count == 1)
		timer_set(&p->timer, (int64_t)conf.ipc_idle * 1000);
}

void ipc_pool_drop(struct ipc_pool *p, struct stream *s)
{
	(void)p;
	stream_free(s);
}

void ipc_pool_free(struct ipc_pool *p)
{
	if (p == NULL)
		return;
	while (!list_empty(&p->idle))
		kept_free(p, oldest(p));
	if (p->has_timer)
		timer_free(&p->timer);
	free(p->path);
	free(p);
}
