#include "loop/idle.h"

static struct list idlers = {&idlers, &idlers};
static bool ending;

void idle_begin(struct idle *i)
{
	i->co = co_self();
	list_append(&idlers, &i->node);
	if (ending)
		co_cancel(i->co);
}

void idle_end(struct idle *i)
{
	list_remove(&i->node);
}

void idle_end_all(void)
{
	struct idle *i;

	ending = true;
	LIST_FOREACH (i, &idlers, struct idle, node) {
		co_cancel(i->co);
	}
}
