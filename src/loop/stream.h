/* A buffered byte stream over a non-blocking descriptor: sockets, pipes, and TLS above them.
 *
 * Reading fills an internal buffer that is given back to the system while the stream is idle;
 * slices returned by readers point into it and are valid until the next read on the same stream.
 * Writing gathers output until stream_flush(), or until STREAM_OUT_MAX bytes are waiting (then the
 * writer waits). One coroutine may read while another writes; two may not do the same. */
#ifndef POSTERN_LOOP_STREAM_H
#define POSTERN_LOOP_STREAM_H

#include "base/buf.h"
#include "base/hostaddr.h"
#include "loop/co.h"
#include <sys/uio.h>

#define STREAM_OUT_MAX (64 * 1024)

/* What moves the bytes. src/tls replaces it after a handshake. Each function behaves like read(2)
 * and writev(2) on a non-blocking descriptor: -1 with errno EAGAIN wants another try after waiting
 * for *want (readable: 1, writable: 2). */
struct stream_ops {
	ssize_t (*read)(void *impl, void *p, size_t n, int *want);
	ssize_t (*writev)(void *impl, const struct iovec *v, int nv, int *want);
	bool (*pending)(void *impl); /* input is decoded and waiting inside impl */
	void (*close)(void *impl);   /* ends and frees impl; the descriptor stays the stream's */
};

struct stream {
	int fd;
	const struct stream_ops *ops; /* NULL: plain descriptor */
	void *impl;
	struct buf in; /* unread input is in.p[in_at .. in.n) */
	size_t in_at;
	struct buf out; /* unsent output is out.p[out_at .. out.n) */
	size_t out_at;
	bool eof;
	uint64_t bytes_in, bytes_out; /* since the start */
	int64_t deadline_all;	  /* an absolute deadline over every wait on this stream; FOREVER at
				     first */
	struct stream_poll *poll; /* private to stream.c */
};

/* Takes over fd (made non-blocking, close-on-exec). */
struct stream *stream_new(int fd);
/* Closes transport and descriptor; unsent output is dropped. NULL is allowed. */
void stream_free(struct stream *s);
/* Gives the descriptor back and frees the rest (nothing may be buffered that matters). */
int stream_detach(struct stream *s);
/* Puts a transport between stream and descriptor (after a TLS handshake). Buffered plaintext input
 * is dropped: what was sent before the handshake must not be taken for what was sent inside. */
void stream_wrap(struct stream *s, const struct stream_ops *ops, void *impl);

/* Reading. All may wait, until deadline (or deadline_all, if that is earlier). */

/* A line up to and with its LF, at most max bytes; *line is what was read, with its line end.
 * WAIT_LIMIT: max bytes came without LF (*line has them and they are consumed).
 * WAIT_EOF: end of input; *line has what came before it without LF. */
enum wait stream_gets(struct stream *s, size_t max, str *line, int64_t deadline);
/* Waits until at least min bytes (or end of file) are buffered; *data is all that is buffered (not
 * consumed). With min 0 it does not wait. */
enum wait stream_peek(struct stream *s, size_t min, str *data, int64_t deadline);
void stream_consume(struct stream *s, size_t n);
/* Exactly n bytes into p; WAIT_EOF when fewer came. */
enum wait stream_read(struct stream *s, void *p, size_t n, int64_t deadline);
/* Bytes that can be read without waiting (buffered here or decoded in the transport). */
size_t stream_buffered(const struct stream *s);
/* TCP: acknowledges at once what has come. For a protocol whose peer may write in small pieces: it
 * sends the next only when this one is acknowledged. No effect on other sockets. */
void stream_acknowledge(struct stream *s);
/* True when something can be read now: buffered, or waiting in the kernel (one non-blocking look).
 */
bool stream_input_ready(struct stream *s);
/* Waits until something (or the end of file, or an error) can be read, with the buffers given back:
 * for idle sessions. With TLS, what came may turn out to be no data. May wait. */
enum wait stream_wait_input(struct stream *s, int64_t deadline);
/* Gives the buffers back that hold nothing, for a stream that will not be used for a while. */
void stream_give_back(struct stream *s);

/* Writing. These may wait only when STREAM_OUT_MAX bytes are gathered; the result of an earlier
 * failed write is reported by the next call. stream_flush() can be tried again after a timeout;
 * when another call times out or is cancelled, part of its bytes may be gone, and the stream
 * refuses to write from then on. */
enum wait stream_write(struct stream *s, const void *p, size_t n, int64_t deadline);
enum wait stream_puts(struct stream *s, const char *text, int64_t deadline);
enum wait stream_printf(struct stream *s, int64_t deadline, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sends what is gathered, and n bytes behind it that need no copy. May wait. */
enum wait stream_send(struct stream *s, const void *p, size_t n, int64_t deadline);
/* Sends what is gathered. May wait. */
enum wait stream_flush(struct stream *s, int64_t deadline);
/* Sends what is gathered, then n bytes of file from offset (sendfile(2) where the transport is
 * plain). A small piece is only gathered, like stream_write(): end with stream_flush(). WAIT_ERROR
 * with errno EIO when the file is shorter. May wait. */
enum wait stream_send_file(struct stream *s, int file, int64_t offset, size_t n, int64_t deadline);

/* Descriptors over a UNIX stream (SCM_RIGHTS), with one byte of payload. The receiver must know
 * that one is coming, and the sender not send it right behind other data: an ordinary read would
 * lose it. May wait. */
enum wait stream_send_fd(struct stream *s, int fd, int64_t deadline);
enum wait stream_recv_fd(struct stream *s, int *fd, int64_t deadline);
/* The same behind other data: sends what is gathered with descriptors at its first byte (n of them,
 * at most STREAM_FDS_MAX; something must be gathered). They stay the caller's. The peer must have
 * called stream_accept_fds(). */
#define STREAM_FDS_MAX 64
enum wait stream_flush_fds(struct stream *s, const int *fds, size_t n, int64_t deadline);
/* From now on every read of this plain UNIX stream takes descriptors along. */
void stream_accept_fds(struct stream *s);
/* Hands over those that came with what was read so far, oldest first; at most max, others are
 * closed. They are close-on-exec. Returns how many. Never waits. */
size_t stream_take_fds(struct stream *s, int *fds, size_t max);

/* Of a UNIX stream: how much of what was sent the peer has not read yet, at least (the kernel
 * counts its own overhead too). 0 when that is not known. */
size_t stream_unread_by_peer(const struct stream *s);

/* Connects. NULL and err (code is the errno; ETIMEDOUT when the deadline passed, ECANCELED).
 * bind_to may be NULL. May wait. */
struct stream *stream_connect(
    const struct hostaddr *to, const struct hostaddr *bind_to, int64_t deadline, struct err *err);
struct stream *stream_connect_unix(const char *path, int64_t deadline, struct err *err);

/* Listening sockets, non-blocking and close-on-exec; -1 and err. */
int listen_inet(const struct hostaddr *at, int backlog, struct err *err);
int listen_unix(const char *path, mode_t mode, int backlog, struct err *err);

#endif
