/* best_mx_transport: mail whose best mail exchanger we are ourselves goes to another transport
 * instead of back to its sender. We ask that agent as qmgr would, and pass its answers on. */
#include "smtp/smtp.h"

#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"

static int64_t soon(void)
{
	return deadline_in(conf.ipc_timeout * 1000L);
}

/* "transport" or "transport:nexthop"; without a next hop the present one stays. */
static void split_transport(const struct delivery *d, struct ipc_deliver *m)
{
	str spec = str_of(conf.best_mx_transport);
	ptrdiff_t colon = str_chr(spec, ':');

	*m = d->m;
	m->transport = colon < 0 ? spec : str_head(spec, (size_t)colon);
	if (colon >= 0 && (size_t)colon + 1 < spec.n)
		m->nexthop = str_from(spec, (size_t)colon + 1);
}

static enum wait send_request(
    struct stream *agent, const struct delivery *d, const struct ipc_deliver *m)
{
	enum wait w = ipc_send(agent, MSG_DELIVER, m, soon());
	struct ipc_deliver_go go;

	for (size_t i = 0; i < d->nattrs && w == WAIT_OK; i++)
		w = ipc_send(agent, MSG_ENV_ATTR, &d->attrs[i], soon());
	for (size_t i = 0; i < d->nrcpts && w == WAIT_OK; i++) {
		const struct delivery_rcpt *r = &d->rcpts[i];
		struct ipc_deliver_rcpt one = {.index = r->index,
		    .address = r->address,
		    .orig_address = r->orig_address,
		    .orcpt = r->orcpt,
		    .notify = r->notify,
		    .flags = r->flags};
		if (!r->done)
			w = ipc_send(agent, MSG_DELIVER_RCPT, &one, soon());
	}
	return w == WAIT_OK ? ipc_send_now(agent, MSG_DELIVER_GO, &go, soon()) : w;
}

static void pass_status(struct delivery *d, const struct ipc_rcpt_status *st)
{
	for (size_t i = 0; i < d->nrcpts; i++)
		if (d->rcpts[i].index == st->index && !d->rcpts[i].done) {
			d->rcpts[i].done = true;
			ipc_send(d->qmgr, MSG_RCPT_STATUS, st, soon());
		}
}

/* Statuses up to the end of the request. */
static void pass_answers(struct delivery *d, struct stream *agent)
{
	struct ipc_msg m;
	struct err err;

	while (ipc_recv(agent, &m, soon(), &err) == WAIT_OK && m.type == MSG_RCPT_STATUS)
		pass_status(d, &m.rcpt_status);
}

static void log_passing(const struct delivery *d, str transport)
{
	for (size_t i = 0; i < d->nrcpts; i++)
		if (!d->rcpts[i].done)
			log_info("%.*s: passing <%.*s> to transport=%.*s", STR_FMT(d->m.queue_id),
			    STR_FMT(d->rcpts[i].address), STR_FMT(transport));
}

void bestmx_pass(struct delivery *d, struct trouble *t)
{
	struct ipc_deliver m;
	struct stream *agent;
	struct ipc_msg ready;
	struct err err;

	split_transport(d, &m);
	log_passing(d, m.transport);
	*t =
	    (struct trouble){.dsn = "4.3.0", .text = "mail transport unavailable", .relay = "none"};
	agent = stream_connect_unix(
	    arena_printf(&d->arena, "private/%.*s", STR_FMT(m.transport)), soon(), &err);
	if (!agent) {
		log_warn("best_mx_transport: %s", err.text);
		return;
	}
	if (ipc_expect(agent, MSG_DELIVER_READY, &ready, soon(), &err) == WAIT_OK &&
	    send_request(agent, d, &m) == WAIT_OK)
		pass_answers(d, agent);
	stream_free(agent);
}
