#include "loop/stream.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/sanitize.h"
#include "loop/poll.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_FIRST ((size_t)8192)	     /* first size of the input buffer */
#define IN_AHEAD ((size_t)64 * 1024) /* what is read without being asked for */
#define IN_MIN	 ((size_t)1024)	     /* room worth a system call */
#define SPARES	 64		     /* first buffers kept for whoever reads next */

static char *spare[SPARES];
static size_t nspare;

/* Streams have their first buffer for moments, many times a message; malloc() is slow at that size.
 */
static void in_free(struct buf *in)
{
	if (in->cap != IN_FIRST || nspare == SPARES) {
		buf_free(in);
		return;
	}
	sanitize_poison(in->p, IN_FIRST);
	spare[nspare++] = in->p;
	*in = (struct buf){0};
}

static void in_first(struct buf *in)
{
	if (nspare == 0) {
		buf_room(in, IN_FIRST - 1);
		return;
	}
	*in = (struct buf){.p = spare[--nspare], .cap = IN_FIRST};
	sanitize_unpoison(in->p, IN_FIRST);
	in->p[0] = 0;
}

struct stream *stream_new(int fd)
{
	struct stream *s = mem_zero(sizeof(*s));

	file_nonblock(fd);
	file_cloexec(fd);
	s->fd = fd;
	s->deadline_all = FOREVER;
	s->poll = stream_poll_new();
	return s;
}

int stream_detach(struct stream *s)
{
	int fd = s->fd;

	stream_poll_free(s->poll);
	if (s->ops)
		s->ops->close(s->impl);
	in_free(&s->in);
	buf_free(&s->out);
	free(s);
	return fd;
}

void stream_free(struct stream *s)
{
	if (s)
		close(stream_detach(s));
}

void stream_wrap(struct stream *s, const struct stream_ops *ops, void *impl)
{
	in_free(&s->in);
	s->in_at = 0;
	s->poll->drained = s->poll->in_full = false;
	s->ops = ops;
	s->impl = impl;
}

static size_t unread(const struct stream *s)
{
	return s->in.n - s->in_at;
}

static ssize_t read_once(struct stream *s, void *p, size_t n, int *want)
{
	*want = WANT_READ;
	if (s->ops)
		return s->ops->read(s->impl, p, n, want);
	return s->poll->fds ? stream_read_fds(s, p, n) : read(s->fd, p, n);
}

/* Reads at least one byte into p. May wait. */
static enum wait read_some(struct stream *s, void *p, size_t room, size_t *got, int64_t deadline)
{
	enum wait r = WAIT_OK;
	int want = WANT_READ;
	ssize_t n;

	if (s->eof)
		return WAIT_EOF;
	while (r == WAIT_OK) {
		if (s->poll->in_errno) {
			errno = s->poll->in_errno;
			return WAIT_ERROR;
		}
		n = -1;
		errno = EAGAIN;
		if (!s->poll->drained)
			n = read_once(s, p, room, &want);
		if (n > 0) {
			s->bytes_in += (uint64_t)n;
			/* Level-triggered polling makes it safe to take a short read for the last.
			 */
			s->poll->drained = !s->ops && (size_t)n < room;
			s->poll->in_full = (size_t)n == room;
			*got = (size_t)n;
			return WAIT_OK;
		}
		if (n == 0) {
			s->eof = true;
			return WAIT_EOF;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			s->poll->drained = false;
			r = stream_poll_wait(s, ROLE_READER, want, deadline, false);
		} else if (errno != EINTR) {
			s->poll->in_errno = errno;
		}
	}
	return r;
}

/* Makes room in the input buffer so that it can hold need unread bytes and a bit. */
static void make_room(struct stream *s, size_t need)
{
	size_t want, room, ahead;

	if (s->in_at == s->in.n) {
		buf_clear(&s->in);
		s->in_at = 0;
	}
	want = need > unread(s) + IN_MIN ? need - unread(s) : IN_MIN;
	if (s->poll->in_full && s->in.cap && s->in.cap < IN_AHEAD) {
		ahead = (s->in.cap * 4 < IN_AHEAD ? s->in.cap * 4 : IN_AHEAD) - 1 - s->in.n;
		if (ahead > want)
			want = ahead;
	}
	if (s->in.cap == 0 && want < IN_FIRST) {
		in_first(&s->in);
		return;
	}
	room = s->in.cap ? s->in.cap - s->in.n - 1 : 0;
	if (room >= want)
		return;
	buf_drop(&s->in, s->in_at);
	s->in_at = 0;
	if (s->in.n == 0)
		in_free(&s->in); /* realloc() would copy what is of no use any more */
	buf_room(&s->in, want);
}

/* Adds at least one byte to the input buffer. May wait. */
static enum wait fill(struct stream *s, size_t need, int64_t deadline)
{
	enum wait r = co_fair();
	size_t got = 0;

	if (r != WAIT_OK)
		return r;
	if (s->eof)
		return WAIT_EOF;
	make_room(s, need);
	r = read_some(s, s->in.p + s->in.n, s->in.cap - s->in.n - 1, &got, deadline);
	if (r == WAIT_OK)
		buf_added(&s->in, got);
	return r;
}

static str take(struct stream *s, size_t n)
{
	str data = str_mem(n ? s->in.p + s->in_at : "", n);

	s->in_at += n;
	return data;
}

enum wait stream_gets(struct stream *s, size_t max, str *line, int64_t deadline)
{
	size_t looked = 0, n;
	const char *lf;
	enum wait r;

	for (;;) {
		n = unread(s) < max ? unread(s) : max;
		lf = n > looked ? memchr(s->in.p + s->in_at + looked, '\n', n - looked) : NULL;
		if (lf) {
			*line = take(s, (size_t)(lf - (s->in.p + s->in_at)) + 1);
			return WAIT_OK;
		}
		looked = n;
		if (n == max) {
			*line = take(s, n);
			return WAIT_LIMIT;
		}
		r = fill(s, n + 1, deadline);
		if (r != WAIT_OK) {
			*line = take(s, r == WAIT_EOF ? n : 0);
			return r;
		}
	}
}

enum wait stream_peek(struct stream *s, size_t min, str *data, int64_t deadline)
{
	enum wait r = WAIT_OK;

	while (unread(s) < min && r == WAIT_OK)
		r = fill(s, min, deadline);
	*data = str_mem(unread(s) ? s->in.p + s->in_at : "", unread(s));
	return r;
}

void stream_consume(struct stream *s, size_t n)
{
	s->in_at += n < unread(s) ? n : unread(s);
}

enum wait stream_read(struct stream *s, void *p, size_t n, int64_t deadline)
{
	char *to = p;
	enum wait r = WAIT_OK;
	size_t part;

	for (;;) {
		part = unread(s) < n ? unread(s) : n;
		if (part)
			memcpy(to, take(s, part).p, part);
		to += part;
		n -= part;
		if (n == 0 || r != WAIT_OK)
			return n ? r : WAIT_OK;
		if (n < IN_FIRST) {
			r = fill(s, n, deadline);
			continue;
		}
		/* Large pieces need not go through the buffer. */
		r = co_fair();
		if (r == WAIT_OK)
			r = read_some(s, to, n, &part, deadline);
		if (r == WAIT_OK) {
			to += part;
			n -= part;
		}
	}
}

static bool pending(const struct stream *s)
{
	return s->ops && s->ops->pending && s->ops->pending(s->impl);
}

void stream_acknowledge(struct stream *s)
{
	int on = 1;

	setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on,
	    sizeof(on)); /* not for ever: until TCP thinks better */
}

size_t stream_buffered(const struct stream *s)
{
	return unread(s) ? unread(s) : pending(s);
}

bool stream_input_ready(struct stream *s)
{
	struct pollfd pfd = {.fd = s->fd, .events = POLLIN};
	int want;
	ssize_t n;

	if (unread(s) || s->eof || s->poll->in_errno || pending(s))
		return true;
	if (!s->ops)
		return poll(&pfd, 1, 0) > 0;
	/* What waits in the kernel may be no more than a part of a record. */
	make_room(s, 1);
	n = read_once(s, s->in.p + s->in.n, s->in.cap - s->in.n - 1, &want);
	if (n > 0) {
		s->bytes_in += (uint64_t)n;
		buf_added(&s->in, (size_t)n);
	} else if (n == 0) {
		s->eof = true;
	} else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		return false;
	} else {
		s->poll->in_errno = errno;
	}
	return true;
}

void stream_give_back(struct stream *s)
{
	if (unread(s) == 0) {
		in_free(&s->in);
		s->in_at = 0;
		s->poll->in_full = false;
	}
	if (s->out_at == s->out.n) {
		buf_free(&s->out);
		s->out_at = 0;
	}
}

enum wait stream_wait_input(struct stream *s, int64_t deadline)
{
	if (unread(s) || s->eof || s->poll->in_errno || pending(s))
		return WAIT_OK;
	stream_give_back(s);
	s->poll->drained = false;
	return stream_poll_wait(s, ROLE_READER, WANT_READ, deadline, true);
}
