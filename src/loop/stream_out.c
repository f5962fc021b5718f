/* The writing half of streams. */
#include "base/mem.h"
#include "loop/poll.h"
#include "loop/stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define OUT_KEEP   8192		       /* a larger output buffer is freed when it is empty */
#define FILE_SMALL ((size_t)32 * 1024) /* a file up to this goes through the output buffer */
#define FILE_STEP  ((size_t)256 * 1024)

static size_t unsent(const struct stream *s)
{
	return s->out.n - s->out_at;
}

void stream_sent(struct stream *s, size_t n)
{
	s->out_at += n;
	if (unsent(s))
		return;
	s->out_at = 0;
	if (s->out.cap > OUT_KEEP)
		buf_free(&s->out);
	else
		buf_clear(&s->out);
}

static enum wait broken(struct stream *s, int code)
{
	s->poll->out_errno = code;
	errno = code;
	return WAIT_ERROR;
}

static enum wait check(struct stream *s)
{
	return s->poll->out_errno ? broken(s, s->poll->out_errno) : WAIT_OK;
}

/* What must not be sent twice or half was half sent when a wait ended badly: the stream is of no
 * use now. */
static enum wait spoil(struct stream *s, enum wait r)
{
	if (r == WAIT_TIMEOUT)
		s->poll->out_errno = ETIMEDOUT;
	else if (r == WAIT_CANCEL)
		s->poll->out_errno = ECANCELED;
	return r;
}

/* After a system call of n < 0: waits if that helps. WAIT_OK: try again. */
static enum wait after_failure(struct stream *s, int want, int64_t deadline)
{
	if (errno == EINTR)
		return WAIT_OK;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return broken(s, errno);
	return stream_poll_wait(s, ROLE_WRITER, want, deadline, false);
}

/* Sends the output buffer and then all of more. */
static enum wait send_all(struct stream *s, str more, int64_t deadline)
{
	enum wait r = check(s);
	struct iovec v[2];
	size_t part;
	ssize_t n;
	int nv, want;

	while (r == WAIT_OK && (unsent(s) || more.n)) {
		nv = 0;
		if (unsent(s))
			v[nv++] = (struct iovec){s->out.p + s->out_at, unsent(s)};
		if (more.n)
			v[nv++] = (struct iovec){(void *)(uintptr_t)more.p, more.n};
		want = WANT_WRITE;
		n = s->ops ? s->ops->writev(s->impl, v, nv, &want) : writev(s->fd, v, nv);
		if (n < 0) {
			r = after_failure(s, want, deadline);
			continue;
		}
		s->bytes_out += (uint64_t)n;
		part = (size_t)n < unsent(s) ? (size_t)n : unsent(s);
		stream_sent(s, part);
		more = str_from(more, (size_t)n - part);
		if (unsent(s) || more.n)
			r = co_fair();
	}
	return more.n ? spoil(s, r) : r;
}

enum wait stream_flush(struct stream *s, int64_t deadline)
{
	return send_all(s, STR(""), deadline);
}

enum wait stream_write(struct stream *s, const void *p, size_t n, int64_t deadline)
{
	if (unsent(s) + n > STREAM_OUT_MAX)
		return send_all(s, str_mem(p, n), deadline);
	buf_add(&s->out, p, n);
	return check(s);
}

enum wait stream_send(struct stream *s, const void *p, size_t n, int64_t deadline)
{
	return send_all(s, str_mem(p, n), deadline);
}

enum wait stream_puts(struct stream *s, const char *text, int64_t deadline)
{
	return stream_write(s, text, strlen(text), deadline);
}

enum wait stream_printf(struct stream *s, int64_t deadline, const char *fmt, ...)
{
	enum wait r = check(s);
	va_list ap;

	if (r != WAIT_OK)
		return r; /* nothing gathers that cannot be sent */
	va_start(ap, fmt);
	buf_vprintf(&s->out, fmt, ap);
	va_end(ap);
	return unsent(s) > STREAM_OUT_MAX ? stream_flush(s, deadline) : check(s);
}

/* Files. */

static ssize_t read_file(int file, void *p, size_t n, int64_t offset)
{
	ssize_t got;

	do
		got = pread(file, p, n, offset);
	while (got < 0 && errno == EINTR);
	if (got == 0) {
		errno = EIO;
		got = -1;
	}
	return got;
}

static enum wait send_file_copied(
    struct stream *s, int file, int64_t offset, size_t n, int64_t deadline)
{
	enum wait r = check(s);
	ssize_t got;

	while (n && r == WAIT_OK) {
		size_t step = n < FILE_SMALL ? n : FILE_SMALL;
		if (unsent(s) + step > STREAM_OUT_MAX)
			r = stream_flush(s, deadline);
		if (r != WAIT_OK)
			return spoil(s, r);
		got = read_file(file, buf_room(&s->out, step), step, offset);
		if (got < 0)
			return broken(s, errno);
		buf_added(&s->out, (size_t)got);
		offset += got;
		n -= (size_t)got;
	}
	return r;
}

static enum wait send_file_directly(
    struct stream *s, int file, int64_t offset, size_t n, int64_t deadline)
{
	enum wait r = WAIT_OK;
	ssize_t done;

	while (n && r == WAIT_OK) {
		done = sendfile(s->fd, file, &offset, n < FILE_STEP ? n : FILE_STEP);
		if (done > 0) {
			s->bytes_out += (uint64_t)done;
			n -= (size_t)done;
			r = n ? co_fair() : WAIT_OK;
		} else if (done == 0) {
			return broken(s, EIO);
		} else if (errno == EINVAL || errno == ENOSYS) {
			s->poll->no_sendfile = true;
			return send_file_copied(s, file, offset, n, deadline);
		} else {
			r = after_failure(s, WANT_WRITE, deadline);
		}
	}
	return n ? spoil(s, r) : r;
}

enum wait stream_send_file(struct stream *s, int file, int64_t offset, size_t n, int64_t deadline)
{
	enum wait r;

	if (s->ops || s->poll->no_sendfile || n <= FILE_SMALL)
		return send_file_copied(s, file, offset, n, deadline);
	r = stream_flush(s, deadline);
	return r == WAIT_OK ? send_file_directly(s, file, offset, n, deadline) : r;
}
