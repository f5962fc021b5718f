/* The system runs: qmgr does what is asked for. */
#include "cmd/postsuper/postsuper.h"
#include "log/log.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "param/param.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS (10 * 1000)
#define ANSWER_MS  (3600 * 1000) /* an operation on all of a large queue takes its time */

struct online {
	struct work *works;
	size_t n;
	struct stream *qmgr;
	struct err *err;
	int result;
};

/* One request; the number of messages that were changed, or -1 and err. */
static int64_t ask(struct online *o, char op, const char *id, const char *queues)
{
	struct ipc_qmgr_super m = {
	    .op = str_mem(&op, 1), .queue_id = str_of(id), .queues = str_of(queues)};
	struct ipc_msg answer;

	if (ipc_send_now(o->qmgr, MSG_QMGR_SUPER, &m, deadline_in(CONNECT_MS)) != WAIT_OK ||
	    ipc_expect(o->qmgr, MSG_QMGR_ANSWER, &answer, deadline_in(ANSWER_MS), o->err) !=
		WAIT_OK) {
		err_set(o->err, "the queue manager hung up");
		return -1;
	}
	if (answer.qmgr_answer.status)
		log_warn("%s: %.*s", id, STR_FMT(answer.qmgr_answer.text));
	return (int64_t)answer.qmgr_answer.count;
}

/* Where the message is now: bits of its queue, 0 when it is nowhere. *expired: it has the mark
 * already. */
static unsigned where(const char *id, bool *expired)
{
	struct arena a = {0};
	struct queue_ref ref;
	struct envelope e;
	unsigned bits = 0;

	*expired = false;
	if (queue_find(id, &ref, NULL) == 0) {
		bits = queue_bits(ref.queue);
		if (queue_read_envelope(&ref, &e, &a, NULL) == 0)
			*expired = e.message.flags & MESSAGE_FORCE_EXPIRE;
	}
	arena_free(&a);
	return bits;
}

static char letter(enum operation op)
{
	return "rdefhH"[op];
}

/* Does the operation change anything about a message that is in this queue? */
static bool applies(const struct work *w, unsigned bits, bool expired)
{
	if (!(bits & w->queues))
		return false;
	switch (w->op) {
	case OP_HOLD:
		return bits != IN_HOLD;
	case OP_RELEASE:
		return bits == IN_HOLD;
	case OP_EXPIRE:
		return !expired;
	case OP_EXPIRE_RELEASE:
		return !expired || bits == IN_HOLD;
	default:
		return true;
	}
}

static int do_one(struct online *o, struct work *w, const char *id)
{
	bool expired;
	unsigned bits = where(id, &expired);
	int64_t count;

	if (!applies(w, bits, expired))
		return 0;
	count = ask(o, letter(w->op), id, "");
	if (count <= 0)
		return count < 0 ? -1 : 0;
	if (w->op != OP_EXPIRE_RELEASE || !expired) {
		w->count++;
		tell(w->op, id);
	}
	if (w->op == OP_EXPIRE_RELEASE && bits == IN_HOLD) {
		w->released++;
		tell_released(id);
	}
	return 0;
}

static const char *names_of(unsigned bits, struct buf *out)
{
	static const char *const queues[] = {"hold", "incoming", "active", "deferred"};

	buf_clear(out);
	for (size_t i = 0; i < 4; i++)
		if (bits & queue_bits(queues[i]))
			buf_printf(out, "%s%s", out->n ? " " : "", queues[i]);
	return buf_text(out);
}

struct tally {
	uint64_t held, expired;
};

static bool tally_one(const struct queue_ref *ref, void *arg)
{
	struct tally *t = arg;
	struct queue_ref copy = *ref;
	struct arena a = {0};
	struct envelope e;

	t->held += strcmp(ref->queue, "hold") == 0;
	if (queue_read_envelope(&copy, &e, &a, NULL) == 0 &&
	    (e.message.flags & MESSAGE_FORCE_EXPIRE))
		t->expired++;
	arena_free(&a);
	return true;
}

static int do_all(struct online *o, struct work *w)
{
	static const char *const queues[] = {"hold", "incoming", "active", "deferred", NULL};
	struct buf names = {0};
	struct tally t = {0};
	bool expires = w->op == OP_EXPIRE || w->op == OP_EXPIRE_RELEASE;
	int64_t count;

	for (size_t i = 0; expires && queues[i]; i++)
		if (w->queues & queue_bits(queues[i]))
			queue_scan(queues[i], tally_one, &t, NULL);
	count = ask(o, letter(w->op), "ALL", names_of(w->queues & IN_MESSAGES, &names));
	buf_free(&names);
	if (count < 0)
		return -1;
	if (expires)
		count = (uint64_t)count > t.expired ? count - (int64_t)t.expired : 0;
	w->count += (uint64_t)count;
	if (w->op == OP_EXPIRE_RELEASE)
		w->released += t.held;
	return 0;
}

static void online_main(void *arg)
{
	struct online *o = arg;
	char path[128];
	struct err err;

	snprintf(path, sizeof path, "public/%s", conf.queue_service_name);
	o->qmgr = stream_connect_unix(path, deadline_in(CONNECT_MS), &err);
	if (!o->qmgr) {
		o->result = 1;
		if (err.code != ECONNREFUSED && err.code != ENOENT) {
			*o->err = err;
			o->result = -1;
		}
		return;
	}
	for (size_t i = 0; i < o->n && o->result == 0; i++) {
		struct work *w = &o->works[i];

		if (!(w->queues & IN_MESSAGES))
			continue;
		if (w->all)
			o->result = do_all(o, w);
		for (size_t at = 0; !w->all && o->result == 0 && at < w->ids.n;
		     at += strlen(w->ids.p + at) + 1)
			o->result = do_one(o, w, w->ids.p + at);
	}
	stream_free(o->qmgr);
}

int online_do(struct work *w, size_t n, struct err *err)
{
	struct online o = {.works = w, .n = n, .err = err};

	loop_init();
	loop_run(online_main, &o);
	return o.result;
}
