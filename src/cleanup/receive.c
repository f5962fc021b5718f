/* The conversation with smtpd, pickup or bounce (ipc/msg.tbl, "cleanup service"). */
#include "cleanup/message.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "loop/idle.h"
#include "param/param.h"
#include "service/service.h"

#include <stdlib.h>

#define RCPTS_MAX 1000000 /* of one message: clients have lower limits of their own */
#define COPIES_MAX                                                                                 \
	10000 /* by BCC actions: as many fields and lines may match as a client likes              \
	       */

void message_fail(struct message *m, enum cleanup_status status, const char *why)
{
	if (m->status != CLEANUP_OK)
		return;
	m->status = status;
	m->why = why ? arena_cstr(&m->arena, str_of(why)) : "";
}

void message_lookup_failed(struct message *m, const char *param, str address, const struct err *err)
{
	log_warn("%s", err->text);
	log_warn("%s: %s map lookup problem%s%.*s -- message not accepted, try again later", m->id,
	    param, address.n ? " for " : "", STR_FMT(address));
	message_fail(m, CLEANUP_WRITE, NULL);
}

void message_fate(struct message *m, const struct ipc_rcpt_status *st)
{
	m->early = mem_realloc(m->early, (m->nearly + 1) * sizeof(*m->early));
	m->early[m->nearly++] = *st;
}

void message_copy(struct message *m, str address)
{
	if (htab_find(&m->seen_bcc, address))
		return;
	if (m->nbcc == COPIES_MAX) {
		if (m->status == CLEANUP_OK)
			log_warn("%s: more than %d different BCC addresses", m->id, COPIES_MAX);
		message_fail(m, CLEANUP_BAD, NULL);
		return;
	}
	if (m->nbcc == m->bcc_cap) {
		m->bcc_cap = m->bcc_cap ? m->bcc_cap * 2 : 4;
		m->bcc = mem_realloc(m->bcc, m->bcc_cap * sizeof(*m->bcc));
	}
	m->bcc[m->nbcc++] = arena_str(&m->arena, address);
	htab_set(&m->seen_bcc, address, m);
}

static void message_free(struct message *m)
{
	if (m->queue)
		queue_message_abort(m->queue);
	if (m->mime)
		mime_free(m->mime);
	if (m->down)
		mime_down_free(m->down);
	buf_free(&m->out);
	free(m->given);
	free(m->bcc);
	free(m->early);
	milter_forget(m);
	buf_free(&m->milters.state);
	htab_free(&m->seen_rcpts, NULL);
	htab_free(&m->seen_bcc, NULL);
	htab_free(&m->unwanted, NULL);
	arena_free(&m->arena);
	free(m);
}

/* Whose header addresses are completed, and with what (local_header_rewrite_clients). */
static void choose_context(struct message *m)
{
	if (m->flags & CLEANUP_FLAG_LOCAL_HEADERS) {
		m->rewrite_headers = true;
		m->context = "local";
	} else {
		m->rewrite_headers = *conf.remote_header_rewrite_domain != 0;
		m->context = "remote";
	}
}

static struct message *message_begin(const struct ipc_cleanup_begin *b)
{
	struct message *m;

	if (!queue_id_valid(b->queue_id) || b->queue_id.n >= QUEUE_ID_MAX)
		return NULL;
	m = mem_zero(sizeof(*m));
	memcpy(m->id, b->queue_id.p, b->queue_id.n);
	m->flags = b->flags;
	m->why = "";
	m->own = MILTER_NO_FIELD;
	m->queue_name = m->flags & CLEANUP_FLAG_HOLD ? "hold" : "incoming";
	m->discard = (m->flags & CLEANUP_FLAG_DISCARD) != 0;
	m->env.message.queue_id = str_of(m->id);
	m->env.message.arrival_us = b->arrival_us;
	m->env.sender.address = str_of("");
	choose_context(m);
	m->queue = queue_message_new(message_writer, m->id);
	return m;
}

/* A line break in an address would make two commands of one when it is sent. Clients see to that;
 * this is the last gate. */
static void check_address(struct message *m, str address)
{
	for (size_t i = 0; i < address.n; i++) {
		char c = address.p[i];

		if (c != '\r' && c != '\n' && c != '\0')
			continue;
		if (m->status == CLEANUP_OK)
			log_warn("%s: line break or null character in address", m->id);
		message_fail(m, CLEANUP_BAD, NULL);
		return;
	}
}

void message_add_rcpt(struct message *m, const struct ipc_env_rcpt *r)
{
	check_address(m, r->address);
	check_address(m, r->orig_address);
	if (m->ngiven == m->given_cap) {
		m->given_cap = m->given_cap ? m->given_cap * 2 : 4;
		m->given = mem_realloc(m->given, m->given_cap * sizeof(*m->given));
	}
	m->given[m->ngiven++] = (struct ipc_env_rcpt){
	    .address = arena_str(&m->arena, r->address),
	    .orig_address = arena_str(&m->arena, r->orig_address),
	    .orcpt = arena_str(&m->arena, r->orcpt),
	    .notify = r->notify,
	    .flags = r->flags,
	};
}

static void add_attr(struct message *m, const struct ipc_env_attr *a)
{
	if (m->env.nattrs < (size_t)conf.queue_file_attribute_count_limit) {
		envelope_add_attr(&m->env, &m->arena, a->name, a->value);
	} else if (m->status == CLEANUP_OK) {
		log_warn("%s: number of attributes exceeds limit (%d)", m->id,
		    conf.queue_file_attribute_count_limit);
		message_fail(m, CLEANUP_BAD, NULL);
	}
}

static void take_sender(struct message *m, const struct ipc_env_sender *s)
{
	check_address(m, s->address);
	m->env.sender = (struct ipc_env_sender){
	    .address = arena_str(&m->arena, s->address),
	    .full_name = arena_str(&m->arena, s->full_name),
	    .envid = arena_str(&m->arena, s->envid),
	    .ret = s->ret,
	    .flags = s->flags,
	};
}

static void take_action(struct message *m, const struct ipc_cleanup_env *a)
{
	str value = arena_str(&m->arena, a->value);

	if (str_eq(a->action, STR("filter"))) {
		envelope_add_attr(&m->env, &m->arena, STR("content_filter"), value);
	} else if (str_eq(a->action, STR("redirect"))) {
		m->redirect = value;
	} else if (str_eq(a->action, STR("bcc"))) {
		message_copy(m, value);
	} else if (str_eq(a->action, STR("hold"))) {
		m->queue_name = "hold";
	} else if (str_eq(a->action, STR("discard"))) {
		m->discard = true;
	} else if (str_eq(a->action, STR("trace"))) {
		m->env.message.flags |=
		    str_eq(value, STR("report")) ? MESSAGE_PROBE_REPORT : MESSAGE_TRACE;
	} else {
		log_warn("%s: unknown action %.*s", m->id, STR_FMT(a->action));
	}
}

/* The milters of the client's session; their descriptors came with these bytes. */
static void take_milters(
    struct message *m, struct stream *client, const struct ipc_cleanup_milter *c)
{
	milter_forget(m);
	m->milters.chain = arena_str(&m->arena, c->chain);
	m->milters.fds = arena_alloc(&m->arena, STREAM_FDS_MAX * sizeof(int));
	m->milters.nfds = stream_take_fds(client, m->milters.fds, STREAM_FDS_MAX);
}

static bool answer(struct stream *client, struct message *m)
{
	struct ipc_cleanup_done d = {.status = m->status,
	    .text = str_of(m->why),
	    .size = m->env.message.size,
	    .milters = buf_view(&m->milters.state)};

	return ipc_send_now(client, MSG_CLEANUP_DONE, &d, deadline_in(conf.ipc_timeout * 1000L)) ==
	       WAIT_OK;
}

/* One message of the conversation. False: the client broke the protocol. */
static bool take(struct message *m, struct stream *client, const struct ipc_msg *in)
{
	switch (in->type) {
	case MSG_ENV_SENDER:
		take_sender(m, &in->env_sender);
		return true;
	case MSG_ENV_ATTR:
		add_attr(m, &in->env_attr);
		return true;
	case MSG_ENV_RCPT:
		if (m->ngiven < RCPTS_MAX) {
			message_add_rcpt(m, &in->env_rcpt);
		} else if (m->status == CLEANUP_OK) {
			log_warn("%s: more than %d recipients", m->id, RCPTS_MAX);
			message_fail(m, CLEANUP_BAD, NULL);
		}
		return true;
	case MSG_CLEANUP_ENV:
		take_action(m, &in->cleanup_env);
		return true;
	case MSG_CLEANUP_CONTENT:
		content_put(m, in->cleanup_content.data);
		return true;
	case MSG_CLEANUP_MILTER:
		take_milters(m, client, &in->cleanup_milter);
		return true;
	default:
		log_warn("%s: unexpected %s from client", m->id, ipc_name(in->type));
		return false;
	}
}

/* A whole message; false when the connection is of no more use. */
static bool receive(struct stream *client, struct message *m)
{
	struct ipc_msg in;
	struct err err;

	for (;;) {
		enum wait w = ipc_recv(client, &in, deadline_in(conf.ipc_timeout * 1000L), &err);
		bool bad = w != WAIT_OK;

		if (w == WAIT_ERROR)
			log_warn("%s: bad request: %s", m->id, err.text);
		if (!bad && in.type == MSG_CLEANUP_END)
			break;
		if (!bad && in.type != MSG_CLEANUP_ABORT)
			bad = !take(m, client, &in);
		if (bad || in.type == MSG_CLEANUP_ABORT) {
			log_cleanup_canceled(m->id);
			return !bad;
		}
	}
	finish(m);
	return answer(client, m);
}

/* The wait for the next message may be cut short when the worker ends. */
static enum wait next_message(struct stream *client, struct ipc_msg *in, struct err *err)
{
	enum wait w = idle_wait(client);

	return w == WAIT_OK ? ipc_recv(client, in, deadline_in(conf.ipc_timeout * 1000L), err) : w;
}

void receive_serve(struct stream *client, const struct hostaddr *peer)
{
	struct ipc_msg in;
	struct err err;
	bool usable = true;
	enum wait w;

	(void)peer;
	stream_accept_fds(client);
	while (usable && (w = next_message(client, &in, &err)) == WAIT_OK) {
		struct message *m;

		if (in.type == MSG_CLEANUP_ABORT)
			continue;
		if (in.type != MSG_CLEANUP_BEGIN || !(m = message_begin(&in.cleanup_begin))) {
			log_warn("unexpected %s from client", ipc_name(in.type));
			return;
		}
		usable = receive(client, m);
		message_free(m);
	}
	if (usable && w == WAIT_ERROR)
		log_warn("bad request: %s", err.text);
}
