/* The queue manager: decides when and where what is in the queue is delivered. */
#include "base/fault.h"
#include "ipc/msg.h"
#include "log/log.h"
#include "loop/idle.h"
#include "loop/work.h"
#include "param/param.h"
#include "qmgr/active.h"
#include "qmgr/schedule.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_AGE_S	60   /* a message does not stay in the log for longer */
#define AGE_MS		5000 /* between looks for such messages */
#define DRAIN_MS	20
#define DRAIN_AGENTS_MS 2000

static struct later age_due;

/* --- what the queue tells */

static void found(const struct queue_ref *ref, int64_t next_attempt_s, void *arg)
{
	(void)arg;
	active_found(ref, next_attempt_s);
}

/* An incoming message that waits in the log for too long gets a file of its own. */
static void incoming_old(struct item *i);

static void old(const struct queue_ref *ref, void *arg)
{
	struct item *i = index_find(ref->id);

	(void)arg;
	if (!i)
		return;
	if (i->state == ITEM_ACTIVE)
		message_relocate(i->message);
	else if (i->state == ITEM_INCOMING && i->ref->lane == LANE_LOG)
		incoming_old(i);
}

struct old_item {
	struct queue_ref ref;
	struct arena arena;
	struct envelope env;
	struct err err;
	int error;
};

static void old_free(struct old_item *o)
{
	arena_free(&o->arena);
	free(o);
}

static void old_moved(void *arg, const struct queue_ref *now, int error)
{
	struct old_item *o = arg;
	struct item *i = index_find(o->ref.id);

	if (i) { /* always */
		item_set_ref(i, error ? &o->ref : now);
		active_wait(i, true);
		active_run();
	}
	old_free(o);
}

static void old_read(void *arg)
{
	struct old_item *o = arg;

	o->error = queue_read_envelope(&o->ref, &o->env, &o->arena, &o->err);
}

static void old_move(void *arg)
{
	struct old_item *o = arg;

	if (o->error)
		old_moved(o, NULL, 1); /* found out when its turn comes */
	else
		move_start(&o->ref, &o->env, "incoming", 0, old_moved, o);
}

static void incoming_old(struct item *i)
{
	struct old_item *o = mem_zero(sizeof(*o));

	item_ref(i, &o->ref);
	active_unwait(i);
	work_start(old_read, old_move, o);
}

static void look_for_old(struct later *d)
{
	queue_store_age(qmgr_store, LOG_AGE_S, old, NULL);
	later_set(d, fault_time("qmgr.age.interval", AGE_MS), look_for_old);
}

/* --- connections */

static bool is_ours(struct stream *s)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid();
}

static void announced(const struct ipc_qmgr_new *m)
{
	struct queue_ref ref = {.lane = (enum queue_lane)m->lane,
	    .segment = m->segment,
	    .generation = m->generation,
	    .offset = m->offset,
	    .length = m->length,
	    .content_offset = m->content_offset,
	    .content_length = m->content_length};
	str queue = m->lane == LANE_LOG ? STR("log") : m->queue;

	if (m->queue_id.n >= sizeof(ref.id) || queue.n >= sizeof(ref.queue) ||
	    (m->lane != LANE_LOG && m->lane != LANE_FILE)) {
		log_warn("a bad announcement of message %.*s", STR_FMT(m->queue_id));
		return;
	}
	memcpy(ref.id, m->queue_id.p, m->queue_id.n);
	memcpy(ref.queue, queue.p, queue.n);
	active_new(&ref, m->envelope);
}

static int answer(struct stream *s, int r, uint64_t count, const struct err *err)
{
	struct ipc_qmgr_answer a = {.count = count, .text = STR("")};

	if (r < 0) {
		a.status = (uint32_t)(err->code ? err->code : EIO);
		a.text = str_of(err->text);
	}
	return ipc_send_now(s, MSG_QMGR_ANSWER, &a, deadline_in(conf.ipc_timeout * INT64_C(1000)));
}

/* Slices of a request are valid until the next read: it is the last thing looked at. */
static int handle(struct stream *s, const struct ipc_msg *m, bool ours)
{
	struct err err = {0};
	uint64_t count = 0;
	int r;

	switch (m->type) {
	case MSG_QMGR_NEW:
		if (ours)
			announced(&m->qmgr_new);
		return ours ? 0 : -1;
	case MSG_QMGR_CLOSED:
		if (ours)
			queue_store_segment_closed(
			    qmgr_store, m->qmgr_closed.segment, m->qmgr_closed.generation);
		return ours ? 0 : -1;
	case MSG_QMGR_FLUSH:
		count = flush_do(m->qmgr_flush.queue_id, m->qmgr_flush.site);
		return answer(s, 0, count, &err);
	case MSG_QMGR_SUPER:
		if (!ours)
			return answer(s, err_errno(&err, EPERM, "postsuper"), 0, &err);
		r = super_do(
		    m->qmgr_super.op, m->qmgr_super.queue_id, m->qmgr_super.queues, &count, &err);
		return answer(s, r, count, &err);
	case MSG_QMGR_LATE:
		if (!ours)
			return -1;
		late_add(m->qmgr_late.queue_id, m->qmgr_late.statuses);
		return answer(s, 0, 0, &err);
	case MSG_QMGR_LIST:
		return list_send(s, m->qmgr_list.queue_id);
	default:
		log_warn("public/qmgr: unexpected %s", ipc_name(m->type));
		return -1;
	}
}

static void serve_frames(struct stream *s)
{
	bool ours = is_ours(s);

	for (;;) {
		struct ipc_msg m;
		struct err err;
		enum wait w = idle_wait(s);

		if (w == WAIT_OK)
			w = ipc_recv(s, &m, deadline_in(conf.ipc_timeout * INT64_C(1000)), &err);
		if (w == WAIT_ERROR && errno == EPROTO)
			log_warn("public/qmgr: %s", err.text);
		if (w != WAIT_OK || handle(s, &m, ours) != 0)
			return;
	}
}

static void serve(struct stream *s, const struct hostaddr *peer)
{
	int64_t deadline;
	str data;

	(void)peer;
	if (idle_wait(s) != WAIT_OK)
		return;
	deadline = deadline_in(conf.trigger_timeout * INT64_C(1000));
	if (stream_peek(s, 1, &data, deadline) != WAIT_OK)
		return;
	if ((unsigned char)*data.p == IPC_MAGIC) {
		serve_frames(s);
		return;
	}
	do {
		flush_letters(data);
		stream_consume(s, data.n);
	} while (stream_peek(s, 1, &data, deadline) == WAIT_OK);
}

static void wakeup(void)
{
	flush_letters(STR("W"));
}

/* --- start and end */

static void start(void)
{
	struct err err;

	if (conf.bounce_queue_lifetime > conf.maximal_queue_lifetime) {
		log_warn("bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting "
			 "bounce_queue_lifetime");
		conf.bounce_queue_lifetime = conf.maximal_queue_lifetime;
	}
	qmgr_store = queue_store_open(found, NULL, &err);
	if (!qmgr_store)
		log_fatal("%s", err.text);
	route_start();
	report_start();
	later_set(&age_due, fault_time("qmgr.age.interval", AGE_MS), look_for_old);
	active_open();
}

/* What agents have in hand is waited for, but at a reload not for long: they will tell the next
 * qmgr. When the system stops there is none. */
static bool is_busy(int64_t since)
{
	if (report_count() || move_count() || active_reading())
		return true;
	return agents_busy() && (service_stopping() || loop_now() - since < DRAIN_AGENTS_MS);
}

static void drain(void)
{
	int64_t since = loop_now();

	while (is_busy(since))
		if (co_sleep(DRAIN_MS) != WAIT_OK)
			break;
	queue_store_close(qmgr_store);
	exit(0); /* at once: nothing must use the queue any more */
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "qmgr",
	    .start = start,
	    .serve = serve,
	    .wakeup = wakeup,
	    .drain = drain,
	    .resident = true};

	return service_main(argc, argv, &service);
}
