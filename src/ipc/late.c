#include "ipc/late.h"

#include "ipc/msg.h"
#include "log/log.h"
#include "param/param.h"

#define KEEP_MS	    500	   /* longer than a queue manager takes to record what it is told */
#define PATIENCE_MS 300000 /* until a new queue manager is there */
#define PAUSE_MS    100

static void turn(struct late *l)
{
	struct buf empty = l->old;

	buf_clear(&empty);
	l->old = l->young;
	l->nold = l->nyoung;
	l->young = empty;
	l->nyoung = 0;
	l->born = loop_now();
}

/* What is older than KEEP_MS, and perhaps twice that, is forgotten. */
static void age(struct late *l)
{
	int64_t age = loop_now() - l->born;

	if (age > KEEP_MS)
		turn(l);
	if (age > 2 * KEEP_MS)
		turn(l);
}

void late_keep(struct late *l, str queue_id, str statuses)
{
	struct ipc_qmgr_late m = {.queue_id = queue_id, .statuses = statuses};

	age(l);
	ipc_put(&l->young, MSG_QMGR_LATE, &m);
	l->nyoung++;
}

static bool tell_on(struct stream *s, const struct late *l, int64_t deadline)
{
	struct ipc_msg answer;
	struct err err;

	if (stream_write(s, l->old.p, l->old.n, deadline) != WAIT_OK ||
	    stream_write(s, l->young.p, l->young.n, deadline) != WAIT_OK ||
	    stream_flush(s, deadline) != WAIT_OK)
		return false;
	for (size_t i = 0; i < l->nold + l->nyoung; i++)
		if (ipc_expect(s, MSG_QMGR_ANSWER, &answer, deadline, &err) != WAIT_OK)
			return false;
	return true;
}

static bool tell(const struct late *l, int64_t deadline)
{
	struct buf path = {0};
	struct stream *s;
	struct err err;
	bool told;

	buf_printf(&path, "public/%s", conf.queue_service_name);
	s = stream_connect_unix(buf_text(&path), deadline, &err);
	buf_free(&path);
	told = s && tell_on(s, l, deadline);
	stream_free(s);
	return told;
}

void late_report(struct late *l)
{
	int64_t deadline = deadline_in(PATIENCE_MS);

	age(l);
	while (l->nold + l->nyoung > 0 && !tell(l, deadline)) {
		if (loop_now() < deadline && co_sleep(PAUSE_MS) == WAIT_OK)
			continue;
		log_warn("the results of %zu deliveries may be lost: no queue manager to tell",
		    l->nold + l->nyoung);
		break;
	}
	l->nold = l->nyoung = 0;
	buf_clear(&l->old);
	buf_clear(&l->young);
}

void late_free(struct late *l)
{
	buf_free(&l->old);
	buf_free(&l->young);
}
