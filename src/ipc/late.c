#include "ipc/late.h"

#include "ipc/msg.h"
#include "log/log.h"
#include "param/param.h"

#define PATIENCE_MS 300000 /* until a new queue manager is there */
#define PAUSE_MS    100

/* 0: it knows; -1: it could not be told. */
static int tell(const struct ipc_qmgr_late *m, int64_t deadline)
{
	struct buf path = {0};
	struct ipc_msg answer;
	struct stream *s;
	struct err err;
	int result = -1;

	buf_printf(&path, "public/%s", conf.queue_service_name);
	s = stream_connect_unix(buf_text(&path), deadline, &err);
	buf_free(&path);
	if (s && ipc_send_now(s, MSG_QMGR_LATE, m, deadline) == WAIT_OK &&
	    ipc_expect(s, MSG_QMGR_ANSWER, &answer, deadline, &err) == WAIT_OK)
		result = 0;
	stream_free(s);
	return result;
}

void late_report(str queue_id, str statuses)
{
	struct ipc_qmgr_late m = {.queue_id = queue_id, .statuses = statuses};
	int64_t deadline = deadline_in(PATIENCE_MS);

	while (tell(&m, deadline) < 0) {
		if (loop_now() < deadline && co_sleep(PAUSE_MS) == WAIT_OK)
			continue;
		log_warn("%.*s: the results of a delivery are lost: no queue manager to tell",
		    STR_FMT(queue_id));
		return;
	}
}
