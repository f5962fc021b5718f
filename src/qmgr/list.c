/* The queue as tools see it: QLIST_MESSAGE and its QLIST_RCPTs for each message. */
#include "loop/work.h"
#include "param/param.h"
#include "qmgr/active.h"

#include <stdlib.h>

#define CHUNK 32

struct listing {
	struct stream *s;
	struct buf names[4]; /* active, incoming, deferred, hold */
	enum wait failed;
	/* messages that are read from the disk together */
	size_t n;
	const char *queue[CHUNK];
	struct queue_ref ref[CHUNK];
	struct envelope env[CHUNK];
	struct arena arena[CHUNK];
	bool good[CHUNK], expire[CHUNK];
};

static int64_t soon(void)
{
	return deadline_in(conf.ipc_timeout * INT64_C(1000));
}

static void put(struct listing *l, enum msg type, const void *m)
{
	if (l->failed == WAIT_OK)
		l->failed = ipc_send(l->s, type, m, soon());
}

/* May wait: e must not change or go meanwhile. */
static void put_message(
    struct listing *l, const char *queue, const struct queue_ref *ref, const struct envelope *e)
{
	struct buf place = {0};
	struct ipc_qlist_message m = {.queue = str_of(queue),
	    .queue_id = str_of(ref->id),
	    .arrival_us = e->message.arrival_us,
	    .size = e->message.size,
	    .forced_expire = (e->message.flags & MESSAGE_FORCE_EXPIRE) != 0,
	    .sender = e->sender.address};

	queue_ref_path(&place, ref);
	m.place = buf_view(&place);
	put(l, MSG_QLIST_MESSAGE, &m);
	for (size_t i = 0; i < e->nrcpts; i++) {
		const struct ipc_rcpt_status *st = &e->status[i];
		struct ipc_qlist_rcpt r = {.address = e->rcpts[i].address,
		    .reason = st->kind == RCPT_PENDING ? STR("") : st->reason,
		    .orig_address = e->rcpts[i].orig_address};

		if (st->kind != RCPT_SENT && st->kind != RCPT_REPORTED)
			put(l, MSG_QLIST_RCPT, &r);
	}
	buf_free(&place);
}

static void read_chunk(void *arg)
{
	struct listing *l = arg;

	for (size_t i = 0; i < l->n; i++)
		l->good[i] = queue_read_envelope(&l->ref[i], &l->env[i], &l->arena[i], NULL) == 0;
}

static void put_chunk(struct listing *l)
{
	if (!l->n)
		return;
	work_run(read_chunk, l);
	for (size_t i = 0; i < l->n; i++) {
		if (l->expire[i]) /* it may not be on the disk yet */
			l->env[i].message.flags |= MESSAGE_FORCE_EXPIRE;
		if (l->good[i])
			put_message(l, l->queue[i], &l->ref[i], &l->env[i]);
		arena_free(&l->arena[i]);
		l->env[i] = (struct envelope){0};
	}
	l->n = 0;
}

static void later(struct listing *l, const char *queue, const struct queue_ref *ref, bool expire)
{
	l->expire[l->n] = expire;
	l->queue[l->n] = queue;
	l->ref[l->n] = *ref;
	if (++l->n == CHUNK)
		put_chunk(l);
}

/* An active message may end while its lines are sent: a copy is sent. */
static void put_active(struct listing *l, const struct message *m)
{
	struct arena a = {0};
	struct envelope e = {0};
	struct queue_ref ref = m->ref;
	struct buf records = {0};

	envelope_encode(&m->env, &records);
	if (envelope_decode(&e, &a, buf_view(&records), NULL) == 0) {
		for (size_t i = 0; i < e.nrcpts; i++)
			if (m->env.status[i].kind != RCPT_PENDING)
				envelope_merge_status(&e, &a, &m->env.status[i]);
		e.message.flags = m->env.message.flags;
		put_message(l, "active", &ref, &e);
	}
	buf_free(&records);
	arena_free(&a);
}

static void put_item(struct listing *l, struct item *i)
{
	bool expire = i->flags & ITEM_EXPIRE;
	struct queue_ref ref;

	if (i->state == ITEM_ACTIVE) {
		struct message *m = i->message;

		if (m->super == 'd')
			return;
		if (m->stage == STAGE_READING)
			later(l, "active", &m->ref, expire);
		else
			put_active(l, m);
		return;
	}
	item_ref(i, &ref);
	later(l, i->state == ITEM_INCOMING ? "incoming" : "deferred", &ref, expire);
}

static void collect(struct item *i, void *arg)
{
	static const uint8_t order[] = {
	    [ITEM_INCOMING] = 1, [ITEM_ACTIVE] = 0, [ITEM_DEFERRED] = 2, [ITEM_MOVING] = 2};
	struct listing *l = arg;

	buf_add(&l->names[order[i->state]], i->id, strlen(i->id) + 1);
}

static bool collect_held(const struct queue_ref *ref, void *arg)
{
	buf_add(arg, ref->id, strlen(ref->id) + 1);
	return true;
}

static void scan_held(void *arg)
{
	struct listing *l = arg;

	queue_scan("hold", collect_held, &l->names[3], NULL);
}

static void collect_one(struct listing *l, str id)
{
	char name[QUEUE_ID_MAX];
	struct item *i;

	if (!queue_id_valid(id) || id.n >= sizeof(name))
		return;
	memcpy(name, id.p, id.n);
	name[id.n] = 0;
	i = index_find(name);
	if (i)
		collect(i, l);
	else
		buf_add(&l->names[3], name, id.n + 1);
}

static void put_held(struct listing *l, const char *id)
{
	struct queue_ref ref = {.lane = LANE_FILE, .queue = "hold"};

	memcpy(ref.id, id, strlen(id) + 1);
	later(l, "hold", &ref, false);
}

int list_send(struct stream *s, str id)
{
	struct listing *l = mem_zero(sizeof(*l));
	struct ipc_qlist_end end;
	enum wait failed;

	l->s = s;
	if (id.n) {
		collect_one(l, id);
	} else {
		index_each(collect, l);
		work_run(scan_held, l);
	}
	for (int q = 0; q < 4; q++) {
		const struct buf *names = &l->names[q];

		for (size_t at = 0; at < names->n && !l->failed; at += strlen(names->p + at) + 1) {
			struct item *i = q == 3 ? NULL : index_find(names->p + at);

			if (i)
				put_item(l, i);
			else if (q == 3)
				put_held(l, names->p + at);
		}
		put_chunk(l);
	}
	put(l, MSG_QLIST_END, &end);
	for (int q = 0; q < 4; q++)
		buf_free(&l->names[q]);
	failed = l->failed;
	free(l);
	if (failed == WAIT_OK)
		failed = stream_flush(s, soon());
	return failed == WAIT_OK ? 0 : -1;
}
