/* Moves of messages between queues: the disk gets a few at a time, so that they share its syncs and
 * leave room for others. */
#include "qmgr/active.h"

#include <stdlib.h>

#define MOVES_MAX 32

struct move {
	struct list link;
	const struct queue_ref *ref;
	const struct envelope *env;
	const char *queue;
	int64_t next_s;
	void (*done)(void *arg, const struct queue_ref *now, int error);
	void *arg;
};
static struct list waiting = {&waiting, &waiting};
static size_t running, count;

static void begin(struct move *m);

static void ended(void *arg, const struct queue_ref *now, int error)
{
	struct move *m = arg;

	running--;
	count--;
	if (!list_empty(&waiting)) {
		struct move *next = LIST_ITEM(waiting.next, struct move, link);

		list_remove(&next->link);
		begin(next);
	}
	m->done(m->arg, now, error);
	free(m);
}

static void begin(struct move *m)
{
	running++;
	queue_store_move(qmgr_store, m->ref, m->env, m->queue, m->next_s, ended, m);
}

void move_start(const struct queue_ref *ref, const struct envelope *env, const char *queue,
    int64_t next_s, void (*done)(void *arg, const struct queue_ref *now, int error), void *arg)
{
	struct move *m = mem_alloc(sizeof(*m));

	*m = (struct move){
	    .ref = ref, .env = env, .queue = queue, .next_s = next_s, .done = done, .arg = arg};
	count++;
	if (running < MOVES_MAX)
		begin(m);
	else
		list_append(&waiting, &m->link);
}

size_t move_count(void)
{
	return count;
}
