#include "cleanup/qmgr_clnt.h"

#include "ipc/msg.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "service/service.h"

#define PENDING_MAX    (64 * 1024 * 1024) /* beyond this the news is dropped */
#define PENDING_MUCH   (8 * 1024 * 1024)  /* beyond this the clients wait */
#define ENVELOPE_MAX   (64 * 1024)	  /* larger ones are read from the disk by qmgr */
#define PACE_MS	       1000
#define RETRY_MS       1000
#define SEND_MS	       (60 * 1000)
#define FINISH_MS      5000
#define COMPLAIN_EVERY (60 * 1000)

static struct buf pending, running; /* frames: gathered; being sent */
static struct cond news, hurry, progress;
static bool dropped, finishing;

static void put(enum msg type, const void *m)
{
	if (pending.n < PENDING_MAX) {
		ipc_put(&pending, type, m);
		dropped = false;
	} else if (!dropped) {
		log_warn("the queue manager does not listen: it will find new mail when it starts");
		dropped = true;
	}
	cond_wake_one(&news);
}

void qmgr_clnt_new(const struct queue_ref *ref, const struct envelope *env)
{
	struct buf envelope = {0};
	struct ipc_qmgr_new m = {
	    .queue_id = str_of(ref->id),
	    .lane = ref->lane,
	    .queue = str_of(ref->queue),
	    .segment = ref->segment,
	    .generation = ref->generation,
	    .offset = ref->offset,
	    .length = ref->length,
	    .content_offset = ref->content_offset,
	    .content_length = ref->content_length,
	};

	envelope_encode(env, &envelope);
	if (envelope.n <= ENVELOPE_MAX)
		m.envelope = buf_view(&envelope);
	else
		m.envelope = str_of("");
	put(MSG_QMGR_NEW, &m);
	buf_free(&envelope);
}

void qmgr_clnt_closed(uint64_t segment, uint64_t generation)
{
	struct ipc_qmgr_closed m = {.segment = segment, .generation = generation};

	put(MSG_QMGR_CLOSED, &m);
}

static struct stream *dial(void)
{
	static int64_t complained_ms;
	struct err err;
	struct stream *s;
	struct buf path = {0};

	buf_printf(&path, "public/%s", conf.queue_service_name);
	s = stream_connect_unix(buf_text(&path), deadline_in(10 * 1000), &err);
	if (!s && !finishing && (!complained_ms || loop_now() - complained_ms > COMPLAIN_EVERY)) {
		log_warn("cannot tell the queue manager: %s", err.text);
		complained_ms = loop_now();
	}
	buf_free(&path);
	return s;
}

/* Sends what is in running. A kept connection may turn out to be dead: a fresh one is tried at
 * once. */
static bool send_batch(struct stream **s)
{
	for (int try = 0; try < 2; try++) {
		int64_t deadline = deadline_in(SEND_MS);

		if (!*s && !(*s = dial()))
			return false;
		if (stream_write(*s, running.p, running.n, deadline) == WAIT_OK &&
		    stream_flush(*s, deadline) == WAIT_OK)
			return true;
		stream_free(*s);
		*s = NULL;
	}
	return false;
}

static void sender(void *arg)
{
	struct stream *s = NULL;

	(void)arg;
	while (!co_cancelled()) {
		if (running.n == 0) {
			running = pending;
			pending = (struct buf){0};
		}
		if (running.n == 0) {
			cond_wait(&news, FOREVER);
		} else if (send_batch(&s)) {
			buf_free(&running);
			cond_wake_all(&progress);
		} else if (finishing) { /* it is away: it will find all this itself */
			buf_free(&running);
			buf_free(&pending);
			cond_wake_all(&progress);
		} else {
			cond_wait(&hurry, deadline_in(RETRY_MS));
		}
	}
	stream_free(s);
}

void qmgr_clnt_start(void)
{
	cond_init(&news);
	cond_init(&hurry);
	cond_init(&progress);
	co_start(service_scope(), "qmgr news", sender, NULL);
}

void qmgr_clnt_pace(void)
{
	if (pending.n > PENDING_MUCH && pending.n < PENDING_MAX)
		cond_wait(&progress, deadline_in(PACE_MS));
}

void qmgr_clnt_finish(void)
{
	int64_t deadline = deadline_in(FINISH_MS);

	finishing = true;
	cond_wake_all(&hurry);
	while (pending.n + running.n > 0)
		if (cond_wait(&progress, deadline) != WAIT_OK)
			return;
}
