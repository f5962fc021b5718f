/* The preemptive part of the scheduler: a job with few entries goes ahead of one with many, which
 * collects "delivery slots" for this while it is served: one for each slot_cost of its entries. A
 * job that went ahead collects its own; what it did not use is lost with its turn. Slots can be
 * borrowed (slot_loan, slot_discount), but not before the last loan is paid back. */
#include "base/clock.h"
#include "qmgr/schedule.h"

/* How many jobs of one size are looked at for one that is not blocked, and how many peers of a job
 * for one that can be served. */
#define LOOK_MAX 16

static int fresh_size(const struct job *j)
{
	return j->waiting < FRESH_SIZES ? (int)j->waiting : FRESH_SIZES - 1;
}

static void leave_fresh(struct job *j)
{
	struct transport *t = j->transport;

	if (!j->fresh)
		return;
	list_remove(&j->in_fresh);
	if (list_empty(&t->fresh[j->fresh]))
		t->fresh_sizes &= ~(UINT64_C(1) << j->fresh);
	j->fresh = 0;
}

void preempt_filed(struct job *j)
{
	struct transport *t = j->transport;
	int size;

	if (t->slot_cost < 2 || j->selected || j->waiting == 0)
		return;
	size = fresh_size(j);
	if (j->fresh == size)
		return;
	leave_fresh(j);
	list_append(&t->fresh[size], &j->in_fresh);
	t->fresh_sizes |= UINT64_C(1) << size;
	j->fresh = (uint8_t)size;
}

void preempt_chosen(struct job *j)
{
	leave_fresh(j);
	if (j->waiting == 0)
		list_remove(&j->in_stack);
	j->transport->current = j->waiting ? j : NULL;
}

void preempt_forget(struct job *j)
{
	leave_fresh(j);
	list_remove(&j->in_stack);
	if (j->transport->current == j)
		j->transport->current = NULL;
}

/* A peer of this job whose destination can be served now. */
static struct peer *servable(struct job *j)
{
	struct peer *p;
	int looked = 0;

	LIST_FOREACH (p, &j->peers, struct peer, in_job) {
		if (p->order.index && p->destination->ready.index) {
			/* to the end: the destinations of a job take turns */
			list_remove(&p->in_job);
			list_append(&j->peers, &p->in_job);
			return p;
		}
		if (++looked == LOOK_MAX)
			break;
	}
	return NULL;
}

/* Of the jobs that need at most max entries to be delivered: the one that waits longest for what it
 * needs. */
static struct job *candidate(struct transport *t, const struct job *current, int max)
{
	int64_t now = clock_wall_us();
	struct job *best = NULL, *j;
	double best_score = -1;

	for (int size = 1; size <= max && size < FRESH_SIZES; size++) {
		int looked = 0;

		if (!(t->fresh_sizes >> size & 1))
			continue;
		LIST_FOREACH (j, &t->fresh[size], struct job, in_fresh) {
			double score = (double)(now - j->since_us + 1) / j->waiting;

			if (j == current || (int)j->waiting > max)
				continue;
			if (score > best_score && list_empty(&j->in_stack) && servable(j)) {
				best = j;
				best_score = score;
				break;
			}
			if (++looked == LOOK_MAX)
				break;
		}
	}
	return best;
}

static bool in_debt(const struct job *j)
{
	return j->selected <= (uint64_t)j->used * (uint32_t)j->transport->slot_cost;
}

void preempt_try(struct transport *t)
{
	struct job *j = t->current, *c;
	int could, has, needs;

	if (!j || t->slot_cost < 2 || !t->fresh_sizes || in_debt(j))
		return;
	/* In all, used or not; a message that never has many is not worth the trouble. */
	could = (int)((j->selected + j->waiting) / (uint32_t)t->slot_cost);
	if (could < t->slots_minimum)
		return;
	could -= (int)j->used;
	if (could < 1)
		return;
	c = candidate(t, j, could);
	if (!c)
		return;
	has = (int)(j->selected / (uint32_t)t->slot_cost) - (int)j->used;
	needs = (int)c->waiting * (100 - t->slot_discount) / 100 - t->slot_loan;
	if (has < needs)
		return;
	j->used += c->waiting;
	list_prepend(&t->stack, &c->in_stack);
}

struct peer *preempt_first(struct transport *t)
{
	struct job *j;
	struct peer *p;
	int looked = 0;

	LIST_FOREACH (j, &t->stack, struct job, in_stack) {
		p = servable(j);
		if (p)
			return p;
		if (++looked == LOOK_MAX)
			break;
	}
	return NULL;
}
