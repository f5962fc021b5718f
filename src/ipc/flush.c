#include "ipc/flush.h"

#include "ipc/msg.h"
#include "param/param.h"

int flush_queue(str queue_id, str site, int64_t deadline, struct err *err)
{
	struct ipc_qmgr_flush m = {.queue_id = queue_id, .site = site};
	struct buf path = {0};
	struct ipc_msg answer;
	struct stream *s;
	int status = -1;

	buf_printf(&path, "public/%s", conf.queue_service_name);
	s = stream_connect_unix(buf_text(&path), deadline, err);
	buf_free(&path);
	if (!s)
		return -1;
	if (ipc_send_now(s, MSG_QMGR_FLUSH, &m, deadline) != WAIT_OK ||
	    ipc_expect(s, MSG_QMGR_ANSWER, &answer, deadline, err) != WAIT_OK)
		err_set(err, "the queue manager does not answer");
	else if (answer.qmgr_answer.status != 0)
		err_errno(
		    err, (int)answer.qmgr_answer.status, "%.*s", STR_FMT(answer.qmgr_answer.text));
	else
		status = 0;
	stream_free(s);
	return status;
}
