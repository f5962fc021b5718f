#include "ipc/msg.h"
#include <errno.h>
#include <stdio.h>

/* --- encoding */

static void put_bytes(struct buf *out, uint64_t v, int bytes)
{
	char *p = buf_room(out, (size_t)bytes);

	for (int i = 0; i < bytes; i++)
		p[i] = (char)(v >> 8 * i);
	buf_added(out, (size_t)bytes);
}

static void put_str(struct buf *out, str s)
{
	put_bytes(out, s.n, 4);
	if (s.n > 0)
		buf_add(out, s.p, s.n);
}

#define GROUP(first)
#define MSG(NAME, name)                                                                            \
	static void put_##name(struct buf *out, const struct ipc_##name *m)                        \
	{                                                                                          \
		(void)out, (void)m;
#define F_U32(f) put_bytes(out, m->f, 4);
#define F_U64(f) put_bytes(out, m->f, 8);
#define F_I64(f) put_bytes(out, (uint64_t)m->f, 8);
#define F_STR(f) put_str(out, m->f);
#define MSG_END	 }
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

/* --- decoding: a reader that has failed stays failed */

struct reader {
	const unsigned char *p, *end;
	bool bad;
};

static uint64_t take_bytes(struct reader *r, int bytes)
{
	uint64_t v = 0;

	if (r->bad || r->end - r->p < bytes) {
		r->bad = true;
		return 0;
	}
	for (int i = bytes; i-- > 0;)
		v = v << 8 | r->p[i];
	r->p += bytes;
	return v;
}

static str take_str(struct reader *r)
{
	size_t n = take_bytes(r, 4);
	str s = {"", 0};

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return s;
	}
	s = str_mem(r->p, n);
	r->p += n;
	return s;
}

#define MSG(NAME, name)                                                                            \
	static void take_##name(struct reader *r, struct ipc_##name *m)                            \
	{                                                                                          \
		(void)r, (void)m;
#define F_U32(f) m->f = (uint32_t)take_bytes(r, 4);
#define F_U64(f) m->f = take_bytes(r, 8);
#define F_I64(f) m->f = (int64_t)take_bytes(r, 8);
#define F_STR(f) m->f = take_str(r);
#define MSG_END	 }
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

#define MSG(NAME, name)                                                                            \
	static void keep_##name(struct ipc_##name *m, struct arena *a)                             \
	{                                                                                          \
		(void)m, (void)a;
#define F_U32(f)
#define F_U64(f)
#define F_I64(f)
#define F_STR(f) m->f = arena_str(a, m->f);
#define MSG_END	 }
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

/* --- by type */

#define F_U32(f)
#define F_U64(f)
#define F_I64(f)
#define F_STR(f)
#define MSG_END

const char *ipc_name(enum msg type)
{
	switch (type) {
#define MSG(NAME, name)                                                                            \
	case MSG_##NAME:                                                                           \
		return #NAME;
#include "ipc/msg.tbl"
#undef MSG
	default:
		return "unknown message";
	}
}

static void put_payload(struct buf *out, enum msg type, const void *msg)
{
	switch (type) {
#define MSG(NAME, name)                                                                            \
	case MSG_##NAME:                                                                           \
		put_##name(out, msg);                                                              \
		break;
#include "ipc/msg.tbl"
#undef MSG
	default:
		break;
	}
}

/* False when there is no such message. */
static bool take_payload(struct reader *r, enum msg type, struct ipc_msg *out)
{
	switch (type) {
#define MSG(NAME, name)                                                                            \
	case MSG_##NAME:                                                                           \
		take_##name(r, &out->name);                                                        \
		return true;
#include "ipc/msg.tbl"
#undef MSG
	default:
		return false;
	}
}

void ipc_keep(struct ipc_msg *m, struct arena *a)
{
	switch (m->type) {
#define MSG(NAME, name)                                                                            \
	case MSG_##NAME:                                                                           \
		keep_##name(&m->name, a);                                                          \
		break;
#include "ipc/msg.tbl"
#undef MSG
	default:
		break;
	}
}

void ipc_put(struct buf *out, enum msg type, const void *msg)
{
	size_t at = out->n;
	char *p;

	buf_room(out, IPC_HEAD);
	buf_added(out, IPC_HEAD);
	put_payload(out, type, msg);
	p = out->p + at;
	p[0] = (char)IPC_MAGIC;
	p[1] = 1;
	p[2] = (char)type;
	p[3] = (char)(type >> 8);
	for (int i = 0; i < 4; i++)
		p[4 + i] = (char)((out->n - at - IPC_HEAD) >> 8 * i);
}

/* Reads a frame's head. 0; 1 when it is not there yet; -1 and err. */
static int take_head(str in, enum msg *type, size_t *length, struct err *err)
{
	const unsigned char *p = (const unsigned char *)in.p;
	struct reader r;

	if ((in.n > 0 && p[0] != IPC_MAGIC) || (in.n > 1 && p[1] != 1)) {
		err_set(err, "malformed message: bad magic");
		return -1;
	}
	if (in.n < IPC_HEAD)
		return 1;
	r = (struct reader){p + 2, p + IPC_HEAD, false};
	*type = (enum msg)take_bytes(&r, 2);
	*length = take_bytes(&r, 4);
	if (*length > IPC_FRAME_MAX)
		return err_set(err, "malformed message %s: %zu bytes", ipc_name(*type), *length);
	return 0;
}

int ipc_take(str *in, struct ipc_msg *out, struct err *err)
{
	size_t length;
	enum msg type;
	struct reader r;
	int got = take_head(*in, &type, &length, err);

	if (got != 0)
		return got;
	if (in->n - IPC_HEAD < length)
		return 1;
	r.p = (const unsigned char *)in->p + IPC_HEAD;
	r.end = r.p + length;
	r.bad = false;
	out->type = type;
	if (!take_payload(&r, type, out))
		return err_set(err, "malformed message: unknown type %d", (int)type);
	if (r.bad)
		return err_set(err, "malformed message %s: too short", ipc_name(type));
	if (r.p != r.end)
		return err_set(
		    err, "malformed message %s: %zd bytes too long", ipc_name(type), r.end - r.p);
	*in = str_from(*in, IPC_HEAD + length);
	return 0;
}

/* --- over a stream */

enum wait ipc_send(struct stream *s, enum msg type, const void *msg, int64_t deadline)
{
	/* Into the stream's own buffer: the frame is copied once, and stays whole. */
	ipc_put(&s->out, type, msg);
	return stream_write(s, "", 0, deadline);
}

enum wait ipc_send_now(struct stream *s, enum msg type, const void *msg, int64_t deadline)
{
	enum wait w = ipc_send(s, type, msg, deadline);

	return w == WAIT_OK ? stream_flush(s, deadline) : w;
}

static enum wait recv_failed(enum wait w, struct err *err)
{
	if (w == WAIT_ERROR)
		err_errno(err, errno, "receive message");
	else
		err_set(err, "receive message: %s", wait_name(w));
	return w;
}

static enum wait malformed(void)
{
	errno = EPROTO;
	return WAIT_ERROR;
}

/* Waits until n bytes are buffered. */
static enum wait recv_bytes(
    struct stream *s, size_t n, str *data, int64_t deadline, struct err *err)
{
	enum wait w = stream_peek(s, n, data, deadline);

	if (w != WAIT_OK && !(w == WAIT_EOF && data->n > 0))
		return recv_failed(w, err);
	if (data->n >= n)
		return WAIT_OK;
	if (data->n == 0)
		return recv_failed(WAIT_EOF, err);
	err_set(err, "malformed message: it ends after %zu bytes", data->n);
	return malformed();
}

enum wait ipc_recv(struct stream *s, struct ipc_msg *out, int64_t deadline, struct err *err)
{
	size_t length;
	enum msg type;
	str data = {0};
	enum wait w = recv_bytes(s, IPC_HEAD, &data, deadline, err);

	if (w != WAIT_OK)
		return w;
	if (take_head(data, &type, &length, err) != 0)
		return malformed();
	w = recv_bytes(s, IPC_HEAD + length, &data, deadline, err);
	if (w != WAIT_OK)
		return w;
	if (ipc_take(&data, out, err) != 0)
		return malformed();
	stream_consume(s, IPC_HEAD + length);
	return WAIT_OK;
}

enum wait ipc_expect(
    struct stream *s, enum msg type, struct ipc_msg *out, int64_t deadline, struct err *err)
{
	enum wait w = ipc_recv(s, out, deadline, err);

	if (w == WAIT_OK && out->type != type) {
		err_set(err, "unexpected message %s instead of %s", ipc_name(out->type),
		    ipc_name(type));
		return malformed();
	}
	return w;
}
