#include "base/htab.h"
#include "qmgr/active.h"
#include "qmgr/index.h"

#include <stdlib.h>

static struct htab results; /* struct buf of RCPT_STATUS frames, by queue ID */

/* Calls fn for each status; stops at what is malformed. */
static void each(str statuses, void (*fn)(void *arg, const struct ipc_rcpt_status *st), void *arg)
{
	struct ipc_msg f;

	while (statuses.n && ipc_take(&statuses, &f, NULL) == 0)
		if (f.type == MSG_RCPT_STATUS && f.rcpt_status.kind <= RCPT_BOUNCED)
			fn(arg, &f.rcpt_status);
}

/* Results of a message that is not active, until it is. */
struct news {
	const struct item *item;
	struct queue_ref ref;
	struct buf frames;
};

static void record(void *arg, const struct ipc_rcpt_status *st)
{
	struct news *n = arg;

	/* The earlier qmgr has put it off. To hear so again would take the place of its next
	 * attempt. */
	if (n->item->state == ITEM_DEFERRED && st->kind == RCPT_DEFERRED)
		return;
	queue_store_status(qmgr_store, &n->ref, st);
	ipc_put(&n->frames, MSG_RCPT_STATUS, st);
}

static void apply(void *arg, const struct ipc_rcpt_status *st)
{
	message_status(arg, st);
}

static struct item *find(str id)
{
	char name[QUEUE_ID_MAX];

	if (!queue_id_valid(id) || id.n >= sizeof(name))
		return NULL;
	memcpy(name, id.p, id.n);
	name[id.n] = 0;
	return index_find(name);
}

void late_add(str id, str statuses)
{
	struct news n = {.item = find(id)};
	struct buf *b;

	if (!n.item || (n.item->state == ITEM_ACTIVE && n.item->message->stage != STAGE_READING))
		return; /* it has ended, or was never ours to wait for */
	if (n.item->state == ITEM_ACTIVE)
		n.ref = n.item->message->ref;
	else
		item_ref(n.item, &n.ref);
	each(statuses, record, &n);
	b = htab_get(&results, id);
	if (!b && n.frames.n) {
		b = mem_zero(sizeof(*b));
		htab_set(&results, id, b);
	}
	if (n.frames.n)
		buf_str(b, buf_view(&n.frames));
	buf_free(&n.frames);
}

static struct buf *take(const char *id)
{
	return results.count ? htab_del(&results, str_of(id)) : NULL;
}

static void drop(struct buf *b)
{
	buf_free(b);
	free(b);
}

void late_apply(struct message *m)
{
	struct buf *b = take(m->ref.id);

	if (!b)
		return;
	each(buf_view(b), apply, m);
	drop(b);
}

void late_forget(const char *id)
{
	struct buf *b = take(id);

	if (b)
		drop(b);
}
