#include "ipc/deliver.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ipc/late.h"
#include "ipc/record.h"
#include "log/log.h"
#include "loop/idle.h"
#include "param/param.h"
#include "queue/flight.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define RCPTS_MAX     100000 /* of one request; qmgr sends far fewer */
#define ATTRS_MAX     1000
#define STATUS_LAG_MS 100 /* a status waits no longer than this for others, if more come */

str delivery_attr(const struct delivery *d, const char *name)
{
	for (size_t i = 0; i < d->nattrs; i++)
		if (str_eq(d->attrs[i].name, str_of(name)))
			return d->attrs[i].value;
	return STR("");
}

void delivery_site_dead(struct delivery *d, const char *dsn, const char *reason)
{
	d->site = 1;
	d->site_dsn = arena_str(&d->arena, str_of(dsn));
	d->site_reason = arena_str(&d->arena, str_of(reason));
}

static int64_t soon(void)
{
	return deadline_in((int64_t)conf.ipc_timeout * 1000);
}

void delivery_fate(struct delivery *d, struct delivery_rcpt *r, const struct fate *f)
{
	struct ipc_rcpt_status st;
	struct record rec;

	if (r->done) {
		log_warn("%.*s: second status for recipient %u", STR_FMT(d->m.queue_id), r->index);
		return;
	}
	record_make(&rec, d, f);
	record_log(&rec, d, r, f);
	record_status(&rec, r, f, &st);
	r->done = true;
	ipc_put(&d->told, MSG_RCPT_STATUS, &st);
	ipc_send(d->qmgr, MSG_RCPT_STATUS, &st, soon());
	if (loop_now() - d->sent_ms > STATUS_LAG_MS) {
		stream_flush(d->qmgr, soon());
		d->sent_ms = loop_now();
	}
	record_free(&rec);
}

/* --- the request */

struct request { /* what grows while it is read */
	struct delivery_rcpt *rcpts;
	struct ipc_env_attr *attrs;
	size_t rcpts_cap, attrs_cap;
};

static int add_attr(struct delivery *d, struct request *q, const struct ipc_env_attr *m)
{
	if (d->nattrs == ATTRS_MAX)
		return -1;
	if (d->nattrs == q->attrs_cap) {
		q->attrs_cap = q->attrs_cap ? q->attrs_cap * 2 : 16;
		q->attrs = mem_realloc(q->attrs, q->attrs_cap * sizeof *q->attrs);
	}
	q->attrs[d->nattrs++] = *m;
	return 0;
}

static int add_rcpt(struct delivery *d, struct request *q, const struct ipc_deliver_rcpt *m)
{
	if (d->nrcpts == RCPTS_MAX)
		return -1;
	if (d->nrcpts == q->rcpts_cap) {
		q->rcpts_cap = q->rcpts_cap ? q->rcpts_cap * 2 : 16;
		q->rcpts = mem_realloc(q->rcpts, q->rcpts_cap * sizeof *q->rcpts);
	}
	q->rcpts[d->nrcpts++] = (struct delivery_rcpt){.index = m->index,
	    .address = m->address,
	    .orig_address = m->orig_address,
	    .orcpt = m->orcpt,
	    .notify = m->notify,
	    .flags = m->flags};
	return 0;
}

/* Reads messages up to DELIVER_GO. */
static enum wait read_rest(struct delivery *d, struct request *q, struct err *err)
{
	for (;;) {
		struct ipc_msg m;
		enum wait w = ipc_recv(d->qmgr, &m, soon(), err);
		int r = -1;

		if (w != WAIT_OK || m.type == MSG_DELIVER_GO)
			return w;
		ipc_keep(&m, &d->arena);
		if (m.type == MSG_ENV_ATTR)
			r = add_attr(d, q, &m.env_attr);
		else if (m.type == MSG_DELIVER_RCPT)
			r = add_rcpt(d, q, &m.deliver_rcpt);
		if (r < 0) {
			err_set(err, "bad delivery request: %s", ipc_name(m.type));
			errno = EPROTO;
			return WAIT_ERROR;
		}
	}
}

static enum wait read_request(struct delivery *d, struct request *q, struct err *err)
{
	struct ipc_msg m;
	enum wait w;

	arena_reset(&d->arena);
	buf_clear(&d->told);
	*d = (struct delivery){
	    .arena = d->arena, .told = d->told, .qmgr = d->qmgr, .content_fd = -1};
	w = ipc_expect(d->qmgr, MSG_DELIVER, &m, soon(), err);
	if (w != WAIT_OK)
		return w;
	ipc_keep(&m, &d->arena);
	d->m = m.deliver;
	w = read_rest(d, q, err);
	d->rcpts = q->rcpts;
	d->attrs = q->attrs;
	d->agent_us = clock_wall_us();
	d->sent_ms = loop_now();
	return w;
}

static void defer_rest(struct delivery *d, const char *reason)
{
	struct fate f = {.kind = RCPT_DEFERRED, .dsn = "4.3.0", .reason = reason};

	for (size_t i = 0; i < d->nrcpts; i++)
		if (!d->rcpts[i].done)
			delivery_fate(d, &d->rcpts[i], &f);
}

static bool all_done(const struct delivery *d)
{
	for (size_t i = 0; i < d->nrcpts; i++)
		if (!d->rcpts[i].done)
			return false;
	return true;
}

/* Nobody waits for the result any more: what is not begun is left to the next queue manager. */
static bool qmgr_gone(const struct delivery *d)
{
	char c;
	ssize_t n = recv(d->qmgr->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static enum wait send_done(struct delivery *d)
{
	struct ipc_deliver_done done = {
	    .site = d->site, .dsn = d->site_dsn, .reason = d->site_reason};

	log_flush(); /* the delivery records come before qmgr's "removed" */
	return ipc_send_now(d->qmgr, MSG_DELIVER_DONE, &done, soon());
}

/* The mark is set before qmgr is looked for, and stays until a qmgr knows the results: whoever
 * takes over the queue meanwhile sees that the message is in hand. */
static enum wait run_marked(
    struct delivery *d, struct late *late, void (*agent)(struct delivery *d))
{
	uint32_t first = d->nrcpts > 0 ? d->rcpts[0].index : 0;
	enum wait w = WAIT_EOF;

	queue_flight_begin(d->content_fd, d->m.content_offset, first);
	if (!qmgr_gone(d)) {
		agent(d);
		if (!all_done(d)) {
			log_warn("%.*s: the delivery agent left recipients without a status",
			    STR_FMT(d->m.queue_id));
			defer_rest(d, "delivery agent error");
		}
		late_keep(late, d->m.queue_id, buf_view(&d->told));
		w = send_done(d);
		if (w != WAIT_OK)
			late_report(late);
	}
	queue_flight_end(d->content_fd, d->m.content_offset, first);
	return w;
}

static enum wait run_agent(struct delivery *d, struct late *late, void (*agent)(struct delivery *d))
{
	enum wait w;
	char *path = arena_cstr(&d->arena, d->m.path);
	struct err err;

	d->content_fd = queue_content_open(path, &err);
	if (d->content_fd < 0) {
		log_warn("%.*s: %s", STR_FMT(d->m.queue_id), err.text);
		defer_rest(d, "queue file read error");
		return send_done(d);
	}
	w = run_marked(d, late, agent);
	queue_content_release(d->content_fd);
	return w;
}

void delivery_serve(struct stream *qmgr, void (*agent)(struct delivery *d))
{
	struct delivery *d = mem_zero(sizeof *d);
	struct request q = {0};
	struct ipc_deliver_ready ready;
	struct late late = {0};
	struct err err;
	enum wait w;

	d->qmgr = qmgr;
	if (ipc_send_now(qmgr, MSG_DELIVER_READY, &ready, soon()) != WAIT_OK) {
		free(d);
		return;
	}
	while ((w = idle_wait(qmgr)) == WAIT_OK) {
		w = read_request(d, &q, &err);
		if (w == WAIT_ERROR)
			log_warn("request from qmgr: %s", err.text);
		if (w != WAIT_OK)
			break;
		w = run_agent(d, &late, agent);
		if (w != WAIT_OK)
			break;
	}
	if (w == WAIT_EOF || qmgr_gone(d))
		late_report(&late);
	late_free(&late);
	free(q.rcpts);
	free(q.attrs);
	buf_free(&d->told);
	arena_free(&d->arena);
	free(d);
}
