/* trivial-rewrite: the service "rewrite". */
#include "ipc/msg.h"
#include "log/log.h"
#include "loop/idle.h"
#include "service/service.h"
#include "table/table.h"
#include "trivial-rewrite/resolve.h"
#include "trivial-rewrite/rewrite.h"

static enum wait answer_rewrite(struct stream *s, const struct ipc_rewrite *m)
{
	struct buf out = {0};
	struct ipc_rewritten reply;
	enum wait w;

	rewrite_form(m->context, m->address, &out);
	reply.address = buf_view(&out);
	w = ipc_send_now(s, MSG_REWRITTEN, &reply, deadline_in(60 * 1000));
	buf_free(&out);
	return w;
}

static enum wait answer_resolve(struct stream *s, const struct ipc_resolve *m)
{
	struct route r = {0};
	struct ipc_resolved reply = {0};
	enum wait w;

	resolve_address(m->sender, m->address, m->verify != 0, &r);
	reply.flags = r.flags;
	reply.transport = buf_view(&r.transport);
	reply.nexthop = buf_view(&r.nexthop);
	reply.recipient = buf_view(&r.recipient);
	w = ipc_send_now(s, MSG_RESOLVED, &reply, deadline_in(60 * 1000));
	route_free(&r);
	return w;
}

static void serve(struct stream *s, const struct hostaddr *peer)
{
	struct ipc_msg m;
	struct err err;
	enum wait w = WAIT_OK;

	(void)peer;
	while (w == WAIT_OK && (w = idle_wait(s)) == WAIT_OK &&
	       (w = ipc_recv(s, &m, deadline_in(60 * 1000), &err)) == WAIT_OK) {
		if (m.type == MSG_REWRITE)
			w = answer_rewrite(s, &m.rewrite);
		else if (m.type == MSG_RESOLVE)
			w = answer_resolve(s, &m.resolve);
		else {
			log_warn("unexpected request %s", ipc_name(m.type));
			return;
		}
	}
	if (w == WAIT_ERROR)
		log_warn("bad request: %s", err.text);
}

int main(int argc, char **argv)
{
	static const struct service rewrite = {
	    .program = "trivial-rewrite",
	    .setup = resolve_setup,
	    .serve = serve,
	};

	return service_main(argc, argv, &rewrite);
}
