/* Waiting for one another: condition and semaphore. */
#include "loop/co.h"
#include "loop/sched.h"

void cond_init(struct cond *c)
{
	list_init(&c->waiters);
}

enum wait cond_wait(struct cond *c, int64_t deadline)
{
	struct co *co = co_self();

	if (co)
		list_append(&c->waiters, &co->link);
	return co_park(deadline);
}

void cond_wake_one(struct cond *c)
{
	if (!list_empty(&c->waiters))
		co_wake(LIST_ITEM(c->waiters.next, struct co, link), WAIT_OK);
}

void cond_wake_all(struct cond *c)
{
	while (!list_empty(&c->waiters))
		cond_wake_one(c);
}

void sema_init(struct sema *s, long n)
{
	cond_init(&s->cond);
	s->free = n;
}

enum wait sema_take(struct sema *s, int64_t deadline)
{
	if (s->free > 0 && list_empty(&s->cond.waiters)) {
		s->free--;
		return WAIT_OK;
	}
	/* sema_give() hands its place over to the first that waits, who need not look again. */
	return cond_wait(&s->cond, deadline);
}

void sema_give(struct sema *s)
{
	if (list_empty(&s->cond.waiters))
		s->free++;
	else
		cond_wake_one(&s->cond);
}
