#include "base/htab.h"
#include "qmgr/active.h"
#include "qmgr/index.h"

#include <stdlib.h>

static struct htab results; /* struct buf of RCPT_STATUS frames, by queue ID */

/* Calls fn for each status; stops at what is malformed. */
static void each(str statuses, struct message *m,
    void (*fn)(struct message *m, const struct queue_ref *ref, const struct ipc_rcpt_status *st),
    const struct queue_ref *ref)
{
	struct ipc_msg f;

	while (statuses.n && ipc_take(&statuses, &f, NULL) == 0)
		if (f.type == MSG_RCPT_STATUS && f.rcpt_status.kind <= RCPT_BOUNCED)
			fn(m, ref, &f.rcpt_status);
}

static void record(struct message *m, const struct queue_ref *ref, const struct ipc_rcpt_status *st)
{
	(void)m;
	queue_store_status(qmgr_store, ref, st);
}

static void apply(struct message *m, const struct queue_ref *ref, const struct ipc_rcpt_status *st)
{
	(void)ref;
	message_status(m, st);
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
	struct item *i = find(id);
	struct queue_ref ref;
	struct buf *b;

	if (!i || (i->state == ITEM_ACTIVE && i->message->stage != STAGE_READING))
		return; /* it has ended, or was never ours to wait for */
	if (i->state == ITEM_ACTIVE)
		ref = i->message->ref;
	else
		item_ref(i, &ref);
	each(statuses, NULL, record, &ref);
	b = htab_get(&results, id);
	if (!b) {
		b = mem_zero(sizeof(*b));
		htab_set(&results, id, b);
	}
	buf_str(b, statuses);
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
	each(buf_view(b), m, apply, NULL);
	drop(b);
}

void late_forget(const char *id)
{
	struct buf *b = take(id);

	if (b)
		drop(b);
}
