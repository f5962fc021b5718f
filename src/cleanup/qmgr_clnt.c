#include "cleanup/qmgr_clnt.h"

#include "ipc/msg.h"
#include "log/log.h"
#include "param/param.h"
#include "service/service.h"

#define PENDING_MAX  (64 * 1024 * 1024)
#define ENVELOPE_MAX (64 * 1024) /* larger ones are read from the disk by qmgr */

static struct buf pending; /* frames */
static struct cond news;

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
	if (pending.n < PENDING_MAX)
		ipc_put(&pending, MSG_QMGR_NEW, &m);
	buf_free(&envelope);
	cond_wake_one(&news);
}

void qmgr_clnt_closed(uint64_t segment, uint64_t generation)
{
	struct ipc_qmgr_closed m = {segment, generation};

	ipc_put(&pending, MSG_QMGR_CLOSED, &m);
	cond_wake_one(&news);
}

static struct stream *dial(void)
{
	struct err err;
	struct stream *s;
	struct buf path = {0};

	buf_printf(&path, "public/%s", conf.queue_service_name);
	s = stream_connect_unix(buf_text(&path), deadline_in(10 * 1000), &err);
	if (!s)
		log_warn("cannot tell the queue manager: %s", err.text);
	buf_free(&path);
	return s;
}

/* Sends what has gathered; a connection that broke is made anew once. */
static void send_batch(struct stream **s)
{
	struct buf batch = pending;

	memset(&pending, 0, sizeof(pending));
	for (int try = 0; try < 2; try++) {
		int64_t deadline = deadline_in(60 * 1000);
		if (!*s && !(*s = dial()))
			break;
		if (stream_write(*s, batch.p, batch.n, deadline) == WAIT_OK &&
		    stream_flush(*s, deadline) == WAIT_OK)
			break;
		stream_free(*s);
		*s = NULL;
	}
	buf_free(&batch);
}

static void sender(void *arg)
{
	struct stream *s = NULL;

	(void)arg;
	for (;;) {
		if (pending.n == 0 && cond_wait(&news, FOREVER) != WAIT_OK)
			break;
		if (pending.n > 0)
			send_batch(&s);
	}
	if (pending.n > 0)
		send_batch(&s);
	stream_free(s);
}

void qmgr_clnt_start(void)
{
	cond_init(&news);
	co_start(service_scope(), "qmgr news", sender, NULL);
}
