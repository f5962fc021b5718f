#include "qmgr/agent.h"

#include "ipc/deliver.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "qmgr/index.h"
#include "qmgr/schedule.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OPENING_MAX  16 /* connections waiting to be accepted */
#define BACKLOG_MS   50 /* the agent's backlog is full: try again */
#define FAILURES_MAX 3	/* agents that ended without an answer, in a row */
#define SEND_BUFFER  (1024 * 1024)
#define READ_SIZE    4096
#define FRAMES_MAX   (1024 * 1024) /* unread input of one agent */

#define UNAVAILABLE "mail transport unavailable"
#define UNKNOWN	    "unknown mail transport error"

struct agent {
	struct transport *transport;
	struct list all, idle;
	int fd;
	struct watch *watch;
	struct buf in;
	struct entry *entry;
	uint32_t got;	 /* statuses of the request in hand */
	uint64_t served; /* requests */
	bool ready, spilling, broken;
	bool unread; /* it closed, and had not read the request (the kernel says so) */
	int64_t idle_since;
};

static size_t busy;

size_t agents_busy(void)
{
	return busy;
}

void agents_init(struct agents *a)
{
	list_init(&a->idle);
	list_init(&a->all);
}

static void agent_free(struct agent *a)
{
	watch_free(a->watch);
	close(a->fd);
	list_remove(&a->all);
	list_remove(&a->idle);
	if (!a->ready)
		a->transport->agents.opening--;
	buf_free(&a->in);
	free(a);
}

/* Idle connections beyond their time go, the ones used least recently first. */
static void close_idle(struct later *due)
{
	struct transport *t = CONTAINER_OF(due, struct transport, agents.due);
	int64_t keep = (conf.ipc_idle > 1 ? conf.ipc_idle : 1) * INT64_C(1000);

	while (!list_empty(&t->agents.idle)) {
		struct agent *a = LIST_ITEM(t->agents.idle.prev, struct agent, idle);

		if (loop_now() - a->idle_since < keep)
			break;
		agent_free(a);
	}
	if (!list_empty(&t->agents.idle))
		later_set(&t->agents.due, keep / 2, close_idle);
	if (t->ready.n)
		agents_run(t);
}

static void again(struct later *due)
{
	close_idle(due);
}

static void agent_idle(struct agent *a)
{
	struct agents *as = &a->transport->agents;

	a->idle_since = loop_now();
	list_prepend(&as->idle, &a->idle);
	if (!later_is_set(&as->due))
		later_set(&as->due, conf.ipc_idle * INT64_C(1000), close_idle);
}

/* --- the end of a delivery */

static void release(struct agent *a)
{
	a->entry = NULL;
	busy--;
}

static void ended(struct agent *a, enum site site, str dsn, str reason)
{
	struct entry *e = a->entry;
	struct message *m = e->message;

	release(a);
	schedule_done(e, site, dsn, reason);
	message_progress(m);
}

/* The agent ended before it had answered. */
static void lost(struct agent *a)
{
	struct entry *e = a->entry;
	struct message *m = e->message;
	struct transport *t = a->transport;

	release(a);
	if ((a->served > 0 || a->unread) && a->got == 0 && !e->again) {
		/* a connection that was closed while the request was on its way */
		schedule_put_back(e);
		return;
	}
	log_warn("private/%s: the delivery agent ended without an answer", t->name);
	t->agents.failures++;
	if (a->got == e->n)
		schedule_done(e, SITE_UNKNOWN, STR(""), STR(""));
	else
		schedule_divert(e, "4.3.0", STR(UNKNOWN));
	if (t->agents.failures >= FAILURES_MAX)
		transport_fail(t, "4.3.0", UNKNOWN);
	message_progress(m);
}

static void agent_closed(struct agent *a)
{
	struct transport *t = a->transport;
	bool was_ready = a->ready;

	if (a->spilling) { /* its writer frees it */
		a->broken = true;
		watch_pause(a->watch, true);
		return;
	}
	if (a->entry)
		lost(a);
	agent_free(a);
	if (!was_ready && ++t->agents.failures >= FAILURES_MAX) {
		log_warn("private/%s: delivery agents end before they do anything", t->name);
		transport_fail(t, "4.3.0", UNKNOWN);
	}
	if (t->ready.n)
		transport_work(t);
}

/* --- what an agent says */

/* Whether the index is one of the request in hand and has no fate yet. */
static bool is_asked(const struct agent *a, uint32_t index)
{
	const struct entry *e = a->entry;

	for (uint32_t i = 0; i < e->n; i++)
		if (e->v[i].index == index)
			return !(e->message->marks[index] & MARK_ROUND);
	return false;
}

static int got_status(struct agent *a, const struct ipc_rcpt_status *st)
{
	if (!a->entry || !is_asked(a, st->index) || st->kind < RCPT_SENT || st->kind > RCPT_BOUNCED)
		return -1;
	message_status(a->entry->message, st);
	a->got++;
	return 0;
}

static int got_done(struct agent *a, const struct ipc_deliver_done *done)
{
	if (!a->entry || a->got != a->entry->n)
		return -1;
	a->served++;
	a->transport->agents.failures = 0;
	agent_idle(a);
	ended(a, done->site ? SITE_BAD : SITE_GOOD, done->dsn, done->reason);
	return 0;
}

static int got_ready(struct agent *a)
{
	if (a->ready)
		return -1;
	a->ready = true;
	a->transport->agents.opening--;
	a->transport->agents.failures = 0;
	agent_idle(a);
	return 0;
}

static int got_frame(struct agent *a, const struct ipc_msg *m)
{
	switch (m->type) {
	case MSG_DELIVER_READY:
		return got_ready(a);
	case MSG_RCPT_STATUS:
		return got_status(a, &m->rcpt_status);
	case MSG_DELIVER_DONE:
		return got_done(a, &m->deliver_done);
	default:
		return -1;
	}
}

static int take_frames(struct agent *a)
{
	str rest = buf_view(&a->in);
	struct ipc_msg m;
	struct err err;
	int r;

	while ((r = ipc_take(&rest, &m, &err)) == 0) {
		if (got_frame(a, &m) == 0)
			continue;
		log_warn("private/%s: unexpected %s", a->transport->name, ipc_name(m.type));
		return -1;
	}
	if (r < 0)
		log_warn("private/%s: %s", a->transport->name, err.text);
	else if (rest.n > FRAMES_MAX)
		r = -1;
	buf_drop(&a->in, a->in.n - rest.n);
	return r < 0 ? -1 : 0;
}

static void agent_readable(int fd, void *arg)
{
	struct agent *a = arg;
	struct transport *t = a->transport;
	ssize_t n = read(fd, buf_room(&a->in, READ_SIZE), READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_added(&a->in, (size_t)n);
	a->unread = n < 0 && errno == ECONNRESET;
	if (n <= 0 || take_frames(a) < 0) {
		agent_closed(a);
		return;
	}
	if (t->ready.n && !list_empty(&t->agents.idle))
		agents_run(t);
}

/* --- requests */

static uint32_t deliver_flags(const struct message *m, const struct destination *d)
{
	uint32_t flags = 0;

	/* smtp_connection_cache_on_demand: a destination that has more than this entry to take */
	if (d->waiting > 0 || d->busy > 1)
		flags |= DELIVER_REUSE;
	if (m->env.message.flags & MESSAGE_TRACE)
		flags |= DELIVER_TRACE;
	if (m->env.message.flags & MESSAGE_PROBE_REPORT)
		flags |= DELIVER_REPORT_ONLY;
	if (m->env.sender.address.n == 0)
		flags |= DELIVER_BOUNCE_MAIL;
	return flags;
}

static void put_rcpts(struct buf *out, const struct entry *e)
{
	const struct envelope *env = &e->message->env;

	for (uint32_t i = 0; i < e->n; i++) {
		const struct ipc_env_rcpt *r = &env->rcpts[e->v[i].index];
		struct ipc_deliver_rcpt d = {.index = e->v[i].index,
		    .address = e->v[i].address,
		    .orig_address = r->orig_address,
		    .orcpt = r->orcpt,
		    .notify = r->notify,
		    .flags = r->flags};

		ipc_put(out, MSG_DELIVER_RCPT, &d);
	}
}

static void put_request(struct buf *out, const struct entry *e)
{
	static struct buf path;
	const struct message *m = e->message;
	const struct envelope *env = &m->env;
	struct ipc_deliver_go go;
	struct ipc_deliver d = {.queue_id = str_of(m->ref.id),
	    .content_offset = m->ref.content_offset,
	    .content_length = m->ref.content_length,
	    .size = env->message.size,
	    .content_flags = env->message.content_flags,
	    .max_line = env->message.max_line,
	    .transport = str_of(e->peer->job->transport->name),
	    .nexthop = str_of(e->peer->destination->nexthop),
	    .sender = e->sender.p ? e->sender : env->sender.address,
	    .envid = env->sender.envid,
	    .ret = env->sender.ret,
	    .sender_flags = env->sender.flags,
	    .flags = deliver_flags(m, e->peer->destination),
	    .arrival_us = env->message.arrival_us,
	    .active_us = m->active_us,
	    .queue = STR("active")};

	buf_clear(&path);
	queue_ref_path(&path, &m->ref);
	d.path = buf_view(&path);
	ipc_put(out, MSG_DELIVER, &d);
	for (size_t i = 0; i < env->nattrs; i++)
		ipc_put(out, MSG_ENV_ATTR, &env->attrs[i]);
	put_rcpts(out, e);
	ipc_put(out, MSG_DELIVER_GO, &go);
}

/* The rest of a request that the socket did not take at once. */
struct spill {
	struct agent *agent;
	struct buf rest;
};

static void spill_done(struct agent *a)
{
	a->spilling = false;
	if (a->broken)
		agent_closed(a);
}

static void spill_write(void *arg)
{
	struct spill *s = arg;
	int fd = dup(s->agent->fd);
	struct stream *out = fd < 0 ? NULL : stream_new(fd);
	int64_t deadline = deadline_in(conf.qmgr_ipc_timeout * INT64_C(1000));

	if (!out || stream_write(out, s->rest.p, s->rest.n, deadline) != WAIT_OK ||
	    stream_flush(out, deadline) != WAIT_OK)
		s->agent->broken = true;
	stream_free(out);
	spill_done(s->agent);
	buf_free(&s->rest);
	free(s);
}

static void spill(struct agent *a, str rest)
{
	struct spill *s = mem_zero(sizeof(*s));

	s->agent = a;
	buf_str(&s->rest, rest);
	a->spilling = true;
	co_start(service_scope(), "request", spill_write, s);
}

static void agent_send(struct agent *a, struct entry *e)
{
	static struct buf out;
	ssize_t n;

	list_remove(&a->idle);
	a->entry = e;
	a->got = 0;
	busy++;
	buf_clear(&out);
	put_request(&out, e);
	n = send(a->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == (ssize_t)out.n)
		return;
	if (n < 0 && errno != EAGAIN) {
		a->unread = true;
		agent_closed(a);
		return;
	}
	spill(a, str_from(buf_view(&out), n > 0 ? (size_t)n : 0));
}

/* --- connections */

static int open_socket(const char *transport)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, size = SEND_BUFFER;

	if (snprintf(to.sun_path, sizeof(to.sun_path), "private/%s", transport) >=
	    (int)sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	size = errno;
	close(fd);
	errno = size;
	return -1;
}

/* 0: there may be more; -1: not now. */
static int agent_open(struct transport *t)
{
	int fd = open_socket(t->name);
	struct agent *a;

	if (fd < 0 && (errno == EAGAIN || errno == EMFILE || errno == ENFILE)) {
		later_set(&t->agents.due, BACKLOG_MS, again);
		return -1;
	}
	if (fd < 0) {
		log_warn("connect to transport private/%s: %s", t->name, strerror(errno));
		transport_fail(t, "4.3.0", UNAVAILABLE);
		return -1;
	}
	a = mem_zero(sizeof(*a));
	a->transport = t;
	a->fd = fd;
	list_init(&a->idle);
	list_append(&t->agents.all, &a->all);
	t->agents.opening++;
	a->watch = watch_readable(fd, agent_readable, a);
	return 0;
}

void agents_run(struct transport *t)
{
	struct agents *as = &t->agents;
	struct entry *e;
	int wanted;

	if (service_draining())
		return;
	while (!list_empty(&as->idle) && (e = schedule_pick(t)))
		agent_send(LIST_ITEM(as->idle.next, struct agent, idle), e);
	if (!t->ready.n)
		return;
	wanted = schedule_selectable(t, OPENING_MAX);
	while (as->opening < wanted && agent_open(t) == 0)
		;
}
