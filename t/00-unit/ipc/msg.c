/* Messages: every one goes through encoder and decoder; malformed frames are errors. */
#include "ipc/msg.h"
#include "../../lib/tap.h"
#include "base/mem.h"
#include "loop/loop.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t serial = 0x0123456789abcdef;
static char text[32];

static str next_text(void)
{
	snprintf(text, sizeof text, "text %llx", (unsigned long long)++serial);
	return str_of(strdup(text)); /* kept for the comparison; freed with the test */
}

/* For each message: a filled struct, its frame, and the comparison of what came out. */
#define GROUP(first)
#define MSG(NAME, name)                                                                            \
	static void fill_##name(struct ipc_##name *m)                                              \
	{                                                                                          \
		(void)m;
#define F_U32(f) m->f = (uint32_t)++serial;
#define F_U64(f) m->f = ++serial;
#define F_I64(f) m->f = -(int64_t)++serial;
#define F_STR(f) m->f = next_text();
#define MSG_END	 }
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

#define MSG(NAME, name)                                                                            \
	static bool same_##name(const struct ipc_##name *a, const struct ipc_##name *b)            \
	{                                                                                          \
		bool same = true;                                                                  \
		(void)a, (void)b;
#define F_U32(f) same = same && a->f == b->f;
#define F_U64(f) same = same && a->f == b->f;
#define F_I64(f) same = same && a->f == b->f;
#define F_STR(f) same = same && str_eq(a->f, b->f);
#define MSG_END                                                                                    \
	return same;                                                                               \
	}
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

#define MSG(NAME, name)                                                                            \
	static void free_##name(struct ipc_##name *m)                                              \
	{                                                                                          \
		(void)m;
#define F_U32(f)
#define F_U64(f)
#define F_I64(f)
#define F_STR(f) free((char *)(uintptr_t)m->f.p);
#define MSG_END	 }
#include "ipc/msg.tbl"
#undef MSG
#undef F_STR
#undef MSG_END

/* Every cut and every longer or shorter length must be noticed; flipped bits must do no harm. */
static bool survives(const struct buf *frame, const char *name)
{
	struct ipc_msg m;
	struct err err;
	bool good = true;

	for (size_t n = 0; n < frame->n; n++) {
		char *exact = mem_memdup(frame->p, n);
		str in = str_mem(exact, n);

		good = good && ipc_take(&in, &m, &err) == 1 && in.n == n;
		if (n >= IPC_HEAD) { /* the same with a length that fits: fields are missing */
			exact[4] = (char)(n - IPC_HEAD);
			exact[5] = (char)((n - IPC_HEAD) >> 8);
			in = str_mem(exact, n);
			good = good && ipc_take(&in, &m, &err) == -1 && strstr(err.text, name);
		}
		free(exact);
	}
	for (size_t at = 0; at < frame->n; at++)
		for (int bit = 0; bit < 8; bit++) {
			char *exact = mem_memdup(frame->p, frame->n);
			str in = str_mem(exact, frame->n);

			exact[at] ^= (char)(1 << bit);
			if (ipc_take(&in, &m, &err) == 0) {
				struct arena a = {0};

				ipc_keep(&m, &a); /* reads all slices */
				arena_free(&a);
			}
			free(exact);
		}
	return good;
}

static void round_trip(void)
{
	struct ipc_msg m;
	struct err err;

#define F_STR(f)
#define MSG_END
#define MSG(NAME, name)                                                                            \
	{                                                                                          \
		struct ipc_##name a;                                                               \
		struct buf frame = {0};                                                            \
		str in;                                                                            \
		fill_##name(&a);                                                                   \
		ipc_put(&frame, MSG_##NAME, &a);                                                   \
		in = buf_view(&frame);                                                             \
		ok(ipc_take(&in, &m, &err) == 0 && m.type == MSG_##NAME && in.n == 0 &&            \
			same_##name(&a, &m.name),                                                  \
		    #NAME);                                                                        \
		ok(survives(&frame, #NAME), "malformed " #NAME);                                   \
		is_cstr(ipc_name(MSG_##NAME), #NAME, "name");                                      \
		free_##name(&a);                                                                   \
		buf_free(&frame);                                                                  \
	}
#include "ipc/msg.tbl"
#undef MSG
#undef MSG_END
}

static int take(const char *bytes, size_t n, struct err *err)
{
	struct ipc_msg m;
	str in = str_mem(bytes, n);

	return ipc_take(&in, &m, err);
}

static void bad_heads(void)
{
	struct err err;

	is_int(take("x", 1, &err), -1, "bad magic");
	is_int(take("\xb5\x02", 2, &err), -1, "bad version");
	is_int(take("\xb5\x01\x10\x00\xff\xff\xff\xff", 8, &err), -1, "huge length");
	ok(strstr(err.text, "ENV_SENDER") != NULL, "the error names the message");
	is_int(take("\xb5\x01\xff\xff\x00\x00\x00\x00", 8, &err), -1, "unknown type");
	is_int(take("\xb5\x01\x42\x00\x01\x00\x00\x00x", 9, &err), -1, "too short");
	is_int(take("\xb5\x01\x43\x00\x01\x00\x00\x00x", 9, &err), -1, "too long");
	ok(strstr(err.text, "CLEANUP_END: 1 bytes too long") != NULL, "the error says so");
	is_int(take(NULL, 0, &err), 1, "nothing");
	is_cstr(ipc_name((enum msg)9999), "unknown message", "unknown name");
}

/* --- streams */

static struct stream *ends[2];

static void open_ends(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	ends[0] = stream_new(fds[0]);
	ends[1] = stream_new(fds[1]);
}

static void close_ends(void)
{
	stream_free(ends[0]);
	stream_free(ends[1]);
}

static void sender(void *arg)
{
	struct ipc_env_attr a = {STR("name"), STR("value"), {}};
	struct ipc_cleanup_content c = {{arg, 1000000}, {}};

	ipc_send(ends[0], MSG_ENV_ATTR, &a, FOREVER);
	ipc_send(ends[0], MSG_CLEANUP_CONTENT, &c, FOREVER);
	ipc_send_now(ends[0], MSG_ENV_ATTR, &a, FOREVER);
	shutdown(ends[0]->fd, SHUT_WR);
}

static void transfer(void)
{
	char *big = mem_zero(1000000);
	struct scope s;
	struct ipc_msg m;
	struct err err;

	open_ends();
	scope_init(&s);
	co_start(&s, "sender", sender, big);
	ok(ipc_recv(ends[1], &m, deadline_in(5000), &err) == WAIT_OK && m.type == MSG_ENV_ATTR &&
		str_eq(m.env_attr.value, STR("value")),
	    "small message");
	ok(ipc_recv(ends[1], &m, deadline_in(5000), &err) == WAIT_OK &&
		m.cleanup_content.data.n == 1000000,
	    "large message");
	is_int(ipc_expect(ends[1], MSG_ENV_RCPT, &m, deadline_in(5000), &err), WAIT_ERROR,
	    "another message than expected");
	is_int(errno, EPROTO, "is a protocol error");
	is_int(ipc_recv(ends[1], &m, deadline_in(5000), &err), WAIT_EOF, "end");
	scope_join(&s);
	close_ends();
	free(big);
}

static void broken(void)
{
	struct ipc_msg m;
	struct err err;

	open_ends();
	is_int(ipc_recv(ends[1], &m, deadline_in(10), &err), WAIT_TIMEOUT, "nothing comes");
	stream_write(ends[0], "\xb5\x01\x10\x00\x05\x00\x00\x00xy", 10, FOREVER);
	stream_flush(ends[0], FOREVER);
	shutdown(ends[0]->fd, SHUT_WR);
	is_int(ipc_recv(ends[1], &m, deadline_in(1000), &err), WAIT_ERROR, "cut message");
	is_int(errno, EPROTO, "is a protocol error");
	close_ends();
	open_ends();
	stream_write(ends[0], "GET / HTTP/1.0\r\n", 16, FOREVER);
	stream_flush(ends[0], FOREVER);
	is_int(ipc_recv(ends[1], &m, deadline_in(1000), &err), WAIT_ERROR, "nonsense");
	is_int(errno, EPROTO, "is a protocol error");
	close_ends();
}

static void streams(void *arg)
{
	(void)arg;
	transfer();
	broken();
}

int main(void)
{
	round_trip();
	bad_heads();
	loop_init();
	loop_run(streams, NULL);
	return done();
}
