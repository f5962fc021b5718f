#include "ipc/notify.h"
#include "ipc/pool.h"
#include "param/param.h"
#include <stdlib.h>

#define POOL_IDLE 4

static const char *service_of(uint32_t kind)
{
	switch (kind) {
	case NOTIFY_DELAY:
		return conf.defer_service_name;
	case NOTIFY_SUCCESS:
	case NOTIFY_TRACE:
		return conf.trace_service_name;
	default:
		return conf.bounce_service_name;
	}
}

static struct ipc_pool *pool_of(uint32_t kind)
{
	static struct ipc_pool *pools[NOTIFY_TRACE + 1];
	struct buf path = {0};

	if (kind > NOTIFY_TRACE)
		kind = NOTIFY_BOUNCE;
	if (pools[kind] == NULL) {
		buf_printf(&path, "private/%s", service_of(kind));
		pools[kind] = ipc_pool_new(buf_text(&path), POOL_IDLE);
		buf_free(&path);
	}
	return pools[kind];
}

static enum wait send_rcpt(struct stream *s, const struct ipc_env_rcpt *r,
    const struct ipc_rcpt_status *status, uint32_t index, int64_t deadline)
{
	struct ipc_deliver_rcpt m = {.index = index,
	    .address = r->address,
	    .orig_address = r->orig_address,
	    .orcpt = r->orcpt,
	    .notify = r->notify,
	    .flags = r->flags};
	enum wait w = ipc_send(s, MSG_DELIVER_RCPT, &m, deadline);

	return w == WAIT_OK ? ipc_send(s, MSG_RCPT_STATUS, status, deadline) : w;
}

static enum wait send_all(struct stream *s, const struct ipc_notify *m,
    const struct ipc_env_attr *attrs, size_t nattrs, const struct ipc_env_rcpt *rcpts,
    const struct ipc_rcpt_status *status, const uint32_t *which, size_t n, int64_t deadline)
{
	struct ipc_notify_go go;
	enum wait w = ipc_send(s, MSG_NOTIFY, m, deadline);

	for (size_t i = 0; i < nattrs && w == WAIT_OK; i++)
		w = ipc_send(s, MSG_ENV_ATTR, &attrs[i], deadline);
	for (size_t i = 0; i < n && w == WAIT_OK; i++)
		w = send_rcpt(s, &rcpts[which[i]], &status[which[i]], which[i], deadline);
	return w == WAIT_OK ? ipc_send_now(s, MSG_NOTIFY_GO, &go, deadline) : w;
}

int notify_send(const struct ipc_notify *m, const struct ipc_env_attr *attrs, size_t nattrs,
    const struct ipc_env_rcpt *rcpts, const struct ipc_rcpt_status *status, const uint32_t *which,
    size_t n, int64_t deadline, struct err *err)
{
	struct ipc_pool *pool = pool_of(m->kind);
	struct ipc_msg answer;
	bool fresh;

	for (bool again = false;; again = true) {
		struct stream *s = ipc_pool_get(pool, again, &fresh, deadline, err);
		enum wait w;

		if (s == NULL)
			break;
		w = send_all(s, m, attrs, nattrs, rcpts, status, which, n, deadline);
		if (w == WAIT_OK)
			w = ipc_expect(s, MSG_NOTIFY_DONE, &answer, deadline, err);
		else
			err_set(err, "send request: %s", wait_name(w));
		if (w == WAIT_OK) {
			int r = answer.notify_done.status == 0
				    ? 0
				    : err_set(err, "%.*s", STR_FMT(answer.notify_done.text));

			ipc_pool_put(pool, s);
			if (r < 0)
				break;
			return 0;
		}
		ipc_pool_drop(pool, s);
		if (fresh || co_cancelled())
			break;
	}
	return err_prefix(err, "service %s", service_of(m->kind));
}
