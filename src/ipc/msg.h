/* Messages between programs: structs, encoder and decoder from msg.tbl.
 *
 * A frame is 0xB5, 0x01, type (16 bit), payload length (32 bit), payload; integers little-endian; a
 * string is a 32-bit length and the bytes. A frame that does not decode to exactly its fields is an
 * error that names the message, never a crash. */
#ifndef POSTERN_IPC_MSG_H
#define POSTERN_IPC_MSG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "loop/stream.h"

#define IPC_MAGIC     0xB5
#define IPC_FRAME_MAX (16 * 1024 * 1024)
#define IPC_HEAD      8

/* enum msg: MSG_ENV_SENDER, ... */
#define GROUP(first)	MSG_BEFORE_##first = (first)-1,
#define MSG(NAME, name) MSG_##NAME,
#define F_U32(f)
#define F_U64(f)
#define F_I64(f)
#define F_STR(f)
#define MSG_END
enum msg {
	MSG_NONE = 0,
#include "ipc/msg.tbl"
};
#undef GROUP
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

/* struct ipc_env_sender, ... */
#define GROUP(first)
#define MSG(NAME, name) struct ipc_##name {
#define F_U32(f)	uint32_t f;
#define F_U64(f)	uint64_t f;
#define F_I64(f)	int64_t f;
#define F_STR(f)	str f;
#define MSG_END                                                                                    \
	char end_[0];                                                                              \
	}                                                                                          \
	;
#include "ipc/msg.tbl"
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

/* A received message: type tells which member of the union is set. */
#define MSG(NAME, name) struct ipc_##name name;
#define F_U32(f)
#define F_U64(f)
#define F_I64(f)
#define F_STR(f)
#define MSG_END
struct ipc_msg {
	enum msg type;
	union {
#include "ipc/msg.tbl"
	};
};
#undef GROUP
#undef MSG
#undef F_U32
#undef F_U64
#undef F_I64
#undef F_STR
#undef MSG_END

const char *ipc_name(enum msg type); /* "ENV_SENDER", or "unknown message" */

/* Appends the frame of a message; msg points to its struct ipc_<name>. */
void ipc_put(struct buf *out, enum msg type, const void *msg);

/* Takes the next frame out of *in; slices of *out point into it. 0; 1 when more input is needed (in
 * is left alone); -1 and err when it is malformed. */
int ipc_take(str *in, struct ipc_msg *out, struct err *err);

/* Copies what the slices of a message point to into the arena. */
void ipc_keep(struct ipc_msg *m, struct arena *a);

/* Queues a frame on a stream; stream_flush() sends. May wait. */
enum wait ipc_send(struct stream *s, enum msg type, const void *msg, int64_t deadline);
/* The same and flushes. May wait. */
enum wait ipc_send_now(struct stream *s, enum msg type, const void *msg, int64_t deadline);

/* Receives a frame; slices of *out are valid until the next read on the stream. WAIT_ERROR with
 * errno EPROTO and err for a malformed one. May wait. */
enum wait ipc_recv(struct stream *s, struct ipc_msg *out, int64_t deadline, struct err *err);
/* Receives a frame that must be of this type; anything else is an error. May wait. */
enum wait ipc_expect(
    struct stream *s, enum msg type, struct ipc_msg *out, int64_t deadline, struct err *err);

#endif
