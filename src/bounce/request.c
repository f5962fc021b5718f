/* The conversation with qmgr: NOTIFY, ENV_ATTR*, (DELIVER_RCPT RCPT_STATUS)*, NOTIFY_GO ->
 * NOTIFY_DONE. */
#include "bounce/report.h"

#include "log/log.h"
#include "loop/idle.h"
#include "param/param.h"

static str keep(struct report *r, str s)
{
	return arena_str(&r->arena, s);
}

static void take_notify(struct report *r, const struct ipc_notify *m)
{
	r->m = *m;
	r->m.queue_id = keep(r, m->queue_id);
	r->m.path = keep(r, m->path);
	r->m.sender = keep(r, m->sender);
	r->m.return_path = keep(r, m->return_path);
	r->m.envid = keep(r, m->envid);
}

static void take_rcpt(struct report *r, const struct ipc_deliver_rcpt *m)
{
	if (r->nrcpts == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 4;
		struct report_rcpt *more = arena_zero(&r->arena, cap * sizeof(*more));
		if (r->nrcpts)
			memcpy(more, r->rcpts, r->nrcpts * sizeof(*more));
		r->rcpts = more;
		r->cap = cap;
	}
	struct ipc_deliver_rcpt *to = &r->rcpts[r->nrcpts++].rcpt;
	*to = *m;
	to->address = keep(r, m->address);
	to->orig_address = keep(r, m->orig_address);
	to->orcpt = keep(r, m->orcpt);
}

static bool take_status(struct report *r, const struct ipc_rcpt_status *m)
{
	struct ipc_rcpt_status *to;

	if (r->nrcpts == 0)
		return false;
	to = &r->rcpts[r->nrcpts - 1].status;
	*to = *m;
	to->dsn = keep(r, m->dsn);
	to->action = keep(r, m->action);
	to->mta_type = keep(r, m->mta_type);
	to->mta_name = keep(r, m->mta_name);
	to->diag_type = keep(r, m->diag_type);
	to->diag = keep(r, m->diag);
	to->reason = keep(r, m->reason);
	to->relay = keep(r, m->relay);
	return true;
}

/* The rest of a request; false when it is malformed or the client has gone. */
static bool receive(struct stream *client, struct report *r)
{
	struct ipc_msg in;
	struct err err;

	for (;;) {
		enum wait w = ipc_recv(client, &in, deadline_in(conf.ipc_timeout * 1000L), &err);
		if (w != WAIT_OK) {
			if (w == WAIT_ERROR)
				log_warn("bad request: %s", err.text);
			return false;
		}
		switch (in.type) {
		case MSG_ENV_ATTR:
			break; /* nothing of it is reported */
		case MSG_DELIVER_RCPT:
			take_rcpt(r, &in.deliver_rcpt);
			break;
		case MSG_RCPT_STATUS:
			if (take_status(r, &in.rcpt_status))
				break;
			log_warn("bad request: status without a recipient");
			return false;
		case MSG_NOTIFY_GO:
			return true;
		default:
			log_warn("unexpected %s from qmgr", ipc_name(in.type));
			return false;
		}
	}
}

static bool answer(struct stream *client, struct report *r)
{
	struct err err = {0};
	struct ipc_notify_done done = {0};

	if (policy_notify(r, &err) < 0) {
		done.status = 1;
		done.text = str_of(err.text);
	} else {
		done.text = str_of("");
	}
	return ipc_send_now(client, MSG_NOTIFY_DONE, &done,
		   deadline_in(conf.ipc_timeout * 1000L)) == WAIT_OK;
}

void request_serve(struct stream *client, const struct hostaddr *peer)
{
	struct report r = {0};
	struct ipc_msg in;
	struct err err;
	bool good = true;

	(void)peer;
	while (good && idle_wait(client) == WAIT_OK) {
		enum wait w = ipc_expect(
		    client, MSG_NOTIFY, &in, deadline_in(conf.ipc_timeout * 1000L), &err);

		if (w != WAIT_OK) {
			if (w != WAIT_EOF)
				log_warn("bad request: %s", err.text);
			break;
		}
		take_notify(&r, &in.notify);
		good = receive(client, &r) && answer(client, &r);
		arena_free(&r.arena);
		memset(&r, 0, sizeof(r));
	}
	arena_free(&r.arena);
}
