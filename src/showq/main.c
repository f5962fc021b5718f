/* showq: the queue as an attribute stream on public/showq, which postqueue and monitors read.
 *
 * NUL-terminated strings, names and values in turn; an empty name ends a record. The first record
 * is protocol=mail_queue_list_protocol, then one for each message, then an empty one. What qmgr has
 * comes from qmgr; the maildrop, and everything while qmgr is away, from the disk. */
#include "ipc/deliver.h"
#include "log/log.h"
#include "loop/work.h"
#include "mail/addr.h"
#include "param/param.h"
#include "queue/queue.h"
#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK 64

struct listing {
	struct stream *out;
	enum wait failed;
	bool in_record;
};

static int64_t soon(void)
{
	return deadline_in(conf.ipc_timeout * INT64_C(1000));
}

/* --- the stream */

static void put(struct listing *l, str s)
{
	ptrdiff_t nul = s.n ? str_find(s, str_mem("", 1)) : -1;

	if (nul >= 0)
		s = str_head(s, (size_t)nul);
	if (l->failed == WAIT_OK)
		l->failed = stream_write(l->out, s.p, s.n, soon());
	if (l->failed == WAIT_OK)
		l->failed = stream_write(l->out, "", 1, soon());
}

static void put_attr(struct listing *l, const char *name, str value)
{
	put(l, str_of(name));
	put(l, value);
}

/* An address in its external form. */
static void put_address(struct listing *l, const char *name, str address)
{
	struct buf quoted = {0};

	if (address.n)
		addr_quote(&quoted, address);
	else
		buf_cstr(&quoted, conf.empty_address_recipient);
	put_attr(l, name, buf_view(&quoted));
	buf_free(&quoted);
}

static void put_number(struct listing *l, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	put_attr(l, name, str_of(text));
}

static void end_record(struct listing *l)
{
	if (l->in_record)
		put(l, STR(""));
	l->in_record = false;
}

static void put_message(struct listing *l, str queue, str id, int64_t arrival_us, uint64_t size,
    bool expire, str sender)
{
	end_record(l);
	put_attr(l, "queue_name", queue);
	put_attr(l, "queue_id", id);
	put_number(l, "time", arrival_us / 1000000);
	put_number(l, "size", (int64_t)size);
	put_number(l, "forced_expire", expire);
	put_address(l, "sender", sender);
	l->in_record = true;
}

static void put_rcpt(struct listing *l, str address, str reason)
{
	put_address(l, "recipient", address);
	if (reason.n)
		put_attr(l, "reason", reason);
}

/* --- from the disk */

struct refs {
	const char *queue;
	struct queue_ref *v;
	size_t n, cap;
	/* those being read */
	size_t at, end;
	struct envelope env[CHUNK];
	struct arena arena[CHUNK];
	bool good[CHUNK];
};

static bool add_ref(const struct queue_ref *ref, void *arg)
{
	struct refs *r = arg;

	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->v = mem_realloc(r->v, r->cap * sizeof(*r->v));
	}
	r->v[r->n++] = *ref;
	return true;
}

static void scan(void *arg)
{
	struct refs *r = arg;
	struct err err;

	if (queue_scan(r->queue, add_ref, r, &err) < 0)
		log_warn("%s: %s", r->queue, err.text);
}

static void read_chunk(void *arg)
{
	struct refs *r = arg;

	for (size_t i = r->at; i < r->end; i++)
		r->good[i - r->at] = queue_read_envelope(&r->v[i], &r->env[i - r->at],
					 &r->arena[i - r->at], NULL) == 0;
}

static void put_envelope(
    struct listing *l, const char *queue, const struct queue_ref *ref, const struct envelope *e)
{
	put_message(l, str_of(queue), str_of(ref->id), e->message.arrival_us, e->message.size,
	    e->message.flags & MESSAGE_FORCE_EXPIRE, e->sender.address);
	for (size_t i = 0; i < e->nrcpts; i++) {
		const struct ipc_rcpt_status *st = &e->status[i];

		if (st->kind != RCPT_SENT && st->kind != RCPT_REPORTED)
			put_rcpt(l, e->rcpts[i].address,
			    st->kind == RCPT_PENDING ? STR("") : st->reason);
	}
}

static void list_disk(struct listing *l, const char *queue)
{
	struct refs *r = mem_zero(sizeof(*r));

	r->queue = queue;
	work_run(scan, r);
	for (r->at = 0; r->at < r->n && !l->failed; r->at = r->end) {
		r->end = r->n - r->at > CHUNK ? r->at + CHUNK : r->n;
		work_run(read_chunk, r);
		for (size_t i = 0; i < r->end - r->at; i++) {
			if (r->good[i])
				put_envelope(l, queue, &r->v[r->at + i], &r->env[i]);
			arena_free(&r->arena[i]);
			r->env[i] = (struct envelope){0};
		}
	}
	free(r->v);
	free(r);
}

/* --- from qmgr */

/* 0; 1: qmgr is not there, nothing was written; -1: it went away in between. */
static int list_qmgr(struct listing *l)
{
	struct ipc_qmgr_list ask = {.queue_id = STR("")};
	struct stream *s;
	struct ipc_msg m;
	struct err err;
	int r = -1;

	s = stream_connect_unix("public/qmgr", soon(), &err);
	if (!s)
		return 1;
	if (ipc_send_now(s, MSG_QMGR_LIST, &ask, soon()) == WAIT_OK) {
		while (!l->failed && ipc_recv(s, &m, soon(), &err) == WAIT_OK) {
			const struct ipc_qlist_message *q = &m.qlist_message;

			if (m.type == MSG_QLIST_MESSAGE)
				put_message(l, q->queue, q->queue_id, q->arrival_us, q->size,
				    q->forced_expire, q->sender);
			else if (m.type == MSG_QLIST_RCPT)
				put_rcpt(l, m.qlist_rcpt.address, m.qlist_rcpt.reason);
			if (m.type == MSG_QLIST_END) {
				r = 0;
				break;
			}
		}
	}
	stream_free(s);
	return r;
}

static void serve(struct stream *out, const struct hostaddr *peer)
{
	static const char *const queues[] = {"active", "incoming", "deferred", "hold"};
	struct listing l = {.out = out};
	int r;

	(void)peer;
	put_attr(&l, "protocol", STR("mail_queue_list_protocol"));
	put(&l, STR(""));
	list_disk(&l, "maildrop");
	r = list_qmgr(&l);
	if (r > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
			list_disk(&l, queues[i]);
	} else if (r < 0 && !l.failed) {
		log_warn("the queue manager went away while it listed the queue");
		return; /* no end mark: the reader knows that it has not everything */
	}
	end_record(&l);
	put(&l, STR(""));
	if (l.failed == WAIT_OK)
		stream_flush(out, soon());
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "showq", .serve = serve, .stdio = true};

	return service_main(argc, argv, &service);
}
