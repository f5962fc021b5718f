#include "ipc/cleanup.h"
#include "base/htab.h"
#include "base/mem.h"
#include "ipc/pool.h"
#include "log/log.h"
#include "loop/co.h"
#include "param/param.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* Up to this many bytes are kept here until the end of the message, and go out in one write. Small
 * messages can so be sent again when a kept connection turns out to be dead; of a large one what
 * was sent is remembered until cleanup has begun to read it. */
#define FIRST	  4096 /* envelopes are mostly smaller */
#define GATHER	  (64 * 1024)
#define PIECE_MAX (64 * 1024) /* usual piece of content, for the first size of a large buffer */
#define POOL_IDLE 200	      /* as many as end together when a batch is on the disk */

struct cleanup {
	struct ipc_pool *pool;
	const char *socket;    /* the pool's name; lives as long as the process */
	struct stream *stream; /* NULL: nothing was sent yet */
	struct buf out;	       /* frames not sent yet */
	struct buf sent;       /* frames sent before, while kept */
	bool kept;	       /* stream is an old connection, and cleanup has not begun to read */
	size_t content_at;     /* of the content frame at the end of out */
	bool growing;	       /* there is one */
	bool failed, answered;
	enum cleanup_status status;
	struct buf text;
	struct buf line;		  /* cleanup_line */
	struct cleanup_handover *milters; /* or NULL */
	bool unread;			  /* cleanup has not read the end of the message */
};

static struct htab pools; /* socket -> struct ipc_pool */

static int64_t soon(void)
{
	return deadline_in((int64_t)conf.ipc_timeout * 1000);
}

struct cleanup *cleanup_open(const char *socket, str queue_id, int64_t arrival_us, uint32_t flags)
{
	struct cleanup *c = mem_zero(sizeof *c);
	struct ipc_cleanup_begin begin = {
	    .queue_id = queue_id, .arrival_us = arrival_us, .flags = flags};
	struct htab_entry *e = htab_find(&pools, str_of(socket));

	if (e == NULL)
		e = htab_set(&pools, str_of(socket), ipc_pool_new(socket, POOL_IDLE));
	c->pool = e->value;
	c->socket = e->key;
	buf_room(&c->out, FIRST);
	ipc_put(&c->out, MSG_CLEANUP_BEGIN, &begin);
	return c;
}

uint32_t cleanup_autodetect(const char *class)
{
	str rest = str_of(conf.smtputf8_autodetect_classes), word;

	while (conf.smtputf8_enable && str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(class)) || str_eq_nocase(word, STR("all")))
			return CLEANUP_FLAG_AUTOUTF8;
	return 0;
}

uint32_t cleanup_internal(const char *class)
{
	str rest = str_of(conf.internal_mail_filter_classes), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(class)))
			return CLEANUP_FLAG_FILTER | CLEANUP_FLAG_MILTER;
	return 0;
}

static void fail(struct cleanup *c, const struct err *err)
{
	log_warn("service %s: %s", c->socket, err->text);
	c->failed = true;
	c->status = CLEANUP_WRITE;
	buf_clear(&c->out);
}

static void take_answer(struct cleanup *c, const struct ipc_cleanup_done *done)
{
	c->answered = true;
	c->status = (enum cleanup_status)done->status;
	buf_clear(&c->text);
	buf_str(&c->text, done->text);
	if (c->milters) {
		buf_clear(&c->milters->state);
		buf_str(&c->milters->state, done->milters);
	}
	buf_clear(&c->out);
	c->growing = false;
}

/* cleanup may refuse a message before it has seen its end. */
static bool refused_early(struct cleanup *c)
{
	struct ipc_msg m;
	struct err err;

	if (ipc_expect(c->stream, MSG_CLEANUP_DONE, &m, deadline_in(1000), &err) != WAIT_OK)
		return false;
	take_answer(c, &m.cleanup_done);
	return true;
}

static enum wait send_out(struct cleanup *c)
{
	return stream_send(c->stream, c->out.p, c->out.n, soon());
}

/* A cleanup that has begun to read a message stays until its end. */
static void look_whether_begun(struct cleanup *c)
{
	if (!c->kept || (c->sent.n > 0 && stream_unread_by_peer(c->stream) >= c->sent.n))
		return;
	c->kept = c->sent.n == 0;
	buf_free(&c->sent);
}

/* After a failure: true when the connection was an old one, and a new one stands where it stood. */
static bool reopened(struct cleanup *c, struct err *err)
{
	bool fresh;

	if (!c->kept || co_cancelled())
		return false;
	ipc_pool_drop(c->pool, c->stream);
	c->kept = false;
	c->stream = ipc_pool_get(c->pool, true, &fresh, soon(), err);
	if (c->stream == NULL)
		return false;
	/* A failure shows when the rest is sent. */
	stream_write(c->stream, c->sent.p, c->sent.n, soon());
	buf_free(&c->sent);
	return true;
}

static void pushed(struct cleanup *c)
{
	if (c->kept && c->sent.n == 0) {
		c->sent = c->out;
		c->out = (struct buf){0};
	} else if (c->kept) {
		buf_str(&c->sent, buf_view(&c->out));
	}
	buf_clear(&c->out);
	c->growing = false;
}

/* Sends what is gathered of a large message. */
static void push(struct cleanup *c)
{
	struct err err = {0};
	bool fresh;
	enum wait w;

	if (c->stream == NULL) {
		c->stream = ipc_pool_get(c->pool, false, &fresh, soon(), &err);
		c->kept = !fresh;
	} else {
		look_whether_begun(c);
	}
	while (c->stream) {
		w = send_out(c);
		if (w == WAIT_OK && !stream_input_ready(c->stream)) {
			pushed(c);
			return;
		}
		if (refused_early(c))
			return;
		err_set(
		    &err, "send message: %s", w == WAIT_OK ? "unexpected answer" : wait_name(w));
		if (!reopened(c, &err))
			break;
	}
	fail(c, &err);
}

static bool ended(const struct cleanup *c)
{
	return c->failed || c->answered;
}

void cleanup_put(struct cleanup *c, enum msg type, const void *msg)
{
	if (ended(c))
		return;
	c->growing = false;
	ipc_put(&c->out, type, msg);
	if (c->out.n > GATHER)
		push(c);
}

void cleanup_attr(struct cleanup *c, const char *name, str value)
{
	struct ipc_env_attr attr = {.name = str_of(name), .value = value};

	cleanup_put(c, MSG_ENV_ATTR, &attr);
}

static void set_u32(char *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> 8 * i);
}

/* The content frame at the end of out, whose one field is a string. */
static void open_content(struct cleanup *c)
{
	struct ipc_cleanup_content m = {.data = STR("")};

	if (c->growing)
		return;
	c->growing = true;
	c->content_at = c->out.n;
	ipc_put(&c->out, MSG_CLEANUP_CONTENT, &m);
}

static void set_content_length(struct cleanup *c)
{
	char *frame = c->out.p + c->content_at;
	size_t n = c->out.n - c->content_at - IPC_HEAD - 4;

	set_u32(frame + 4, n + 4);
	set_u32(frame + IPC_HEAD, n);
}

struct buf *cleanup_content_room(struct cleanup *c)
{
	if (ended(c))
		return NULL;
	open_content(c);
	if (c->stream || c->out.n > GATHER / 4) /* a large one: all at once */
		buf_room(&c->out, GATHER + PIECE_MAX - c->out.n);
	return &c->out;
}

void cleanup_content_added(struct cleanup *c)
{
	if (ended(c))
		return;
	set_content_length(c);
	if (c->out.n >= GATHER)
		push(c);
}

void cleanup_content(struct cleanup *c, str wire)
{
	while (wire.n > 0 && !ended(c)) {
		size_t room = c->out.n < GATHER ? GATHER - c->out.n : 1;
		str part = str_head(wire, room);

		open_content(c);
		buf_str(&c->out, part);
		wire = str_from(wire, part.n);
		cleanup_content_added(c);
	}
}

void cleanup_milters(struct cleanup *c, struct cleanup_handover *h)
{
	h->taken = false;
	buf_clear(&h->state);
	c->milters = h;
}

void cleanup_line(struct cleanup *c, const char *fmt, ...)
{
	va_list ap;

	buf_clear(&c->line);
	buf_char(&c->line, '.');
	va_start(ap, fmt);
	buf_vprintf(&c->line, fmt, ap);
	va_end(ap);
	buf_cstr(&c->line, "\r\n");
	/* The first dot is needed only before another one (RFC 5321 4.5.2). */
	cleanup_content(c, str_from(buf_view(&c->line), c->line.p[1] == '.' ? 0 : 1));
}

static void cleanup_free(struct cleanup *c)
{
	buf_free(&c->out);
	buf_free(&c->sent);
	buf_free(&c->text);
	buf_free(&c->line);
	free(c);
}

/* The end of the message, with the milters if there are any. */
static enum wait send_end(struct cleanup *c)
{
	struct buf *out = &c->stream->out;

	if (!c->milters)
		return send_out(c);
	buf_str(out, buf_view(&c->out));
	return stream_flush_fds(c->stream, c->milters->fds, c->milters->nfds, soon());
}

/* Sends the rest and waits for the verdict. */
static enum wait finish(struct cleanup *c, struct err *err)
{
	struct ipc_msg m;
	enum wait w = send_end(c);

	c->unread = w == WAIT_ERROR;
	if (w != WAIT_OK && w != WAIT_ERROR) {
		err_set(err, "send message: %s", wait_name(w));
		return w;
	}
	/* After a write error there may still be an answer to read. */
	w = ipc_expect(c->stream, MSG_CLEANUP_DONE, &m, soon(), err);
	if (w == WAIT_OK)
		take_answer(c, &m.cleanup_done);
	else if (w == WAIT_ERROR && errno == ECONNRESET)
		c->unread = true;
	if (c->milters)
		c->milters->taken = !c->unread;
	return w;
}

/* A message must not enter the queue twice, nor be shown to milters twice. cleanup does neither
 * before it has read all of the message: so nothing has happened when its end could not be sent, or
 * was not read (then the kernel resets the connection). What was read may be in the queue, although
 * there is no answer: the client has to be told that it is not known. */
static bool may_repeat(const struct cleanup *c)
{
	return c->unread;
}

static void finish_small(struct cleanup *c)
{
	struct err err = {0};
	bool fresh = false;

	for (bool again = false; !again || !fresh; again = true) {
		c->stream = ipc_pool_get(c->pool, again, &fresh, soon(), &err);
		if (c->stream == NULL)
			break;
		if (finish(c, &err) == WAIT_OK) {
			ipc_pool_put(c->pool, c->stream);
			c->stream = NULL;
			return;
		}
		ipc_pool_drop(c->pool, c->stream);
		c->stream = NULL;
		if (fresh || co_cancelled() || !may_repeat(c))
			break;
	}
	fail(c, &err);
}

static void finish_large(struct cleanup *c)
{
	struct err err = {0};

	look_whether_begun(c);
	while (finish(c, &err) != WAIT_OK) {
		if (!may_repeat(c) || !reopened(c, &err)) {
			fail(c, &err);
			return;
		}
	}
	ipc_pool_put(c->pool, c->stream);
	c->stream = NULL;
}

enum cleanup_status cleanup_commit(struct cleanup *c, struct buf *text)
{
	struct ipc_cleanup_end end;
	enum cleanup_status status;

	if (!ended(c)) {
		if (c->milters) {
			struct ipc_cleanup_milter m = {.chain = c->milters->chain};
			ipc_put(&c->out, MSG_CLEANUP_MILTER, &m);
		}
		ipc_put(&c->out, MSG_CLEANUP_END, &end);
		if (c->stream)
			finish_large(c);
		else
			finish_small(c);
	}
	if (text)
		buf_str(text, buf_view(&c->text));
	status = c->status;
	cleanup_abort(c);
	return status;
}

void cleanup_abort(struct cleanup *c)
{
	/* In the middle of a message: its end is the end of the connection. */
	if (c->stream)
		ipc_pool_drop(c->pool, c->stream);
	cleanup_free(c);
}
