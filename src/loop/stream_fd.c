/* Descriptors over UNIX streams: SCM_RIGHTS. */
#include "base/mem.h"
#include "loop/poll.h"
#include "loop/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

enum wait stream_send_fd(struct stream *s, int fd, int64_t deadline)
{
	union control control = {0};
	char byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	enum wait r = stream_flush(s, deadline);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	while (r == WAIT_OK) {
		if (sendmsg(s->fd, &m, MSG_NOSIGNAL) >= 0) {
			s->bytes_out++;
			return WAIT_OK;
		}
		if (errno == EAGAIN)
			r = stream_poll_wait(s, ROLE_WRITER, WANT_WRITE, deadline, false);
		else if (errno != EINTR)
			return WAIT_ERROR;
	}
	return r;
}

/* Room for one descriptor is, by its alignment, room for two: what is too much is closed. */
static enum wait got_fd(struct msghdr *m, int *fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n = 0;
	int got;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (n == 1)
			*fd = got;
		else
			close(got);
	}
	if (n == 1)
		return WAIT_OK;
	errno = EBADMSG;
	return WAIT_ERROR;
}

enum wait stream_recv_fd(struct stream *s, int *fd, int64_t deadline)
{
	enum wait r = WAIT_OK;

	*fd = -1;
	if (s->in.n > s->in_at) {
		/* The byte, and the descriptor with it, went through an ordinary read. */
		errno = EBADMSG;
		return WAIT_ERROR;
	}
	while (r == WAIT_OK) {
		union control control = {0};
		char byte;
		struct iovec v = {&byte, 1};
		struct msghdr m = {.msg_iov = &v,
		    .msg_iovlen = 1,
		    .msg_control = &control,
		    .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);
		if (n > 0) {
			s->bytes_in++;
			s->poll->drained = false;
			return got_fd(&m, fd);
		}
		if (n == 0) {
			s->eof = true;
			return WAIT_EOF;
		}
		if (errno == EAGAIN)
			r = stream_poll_wait(s, ROLE_READER, WANT_READ, deadline, false);
		else if (errno != EINTR)
			return WAIT_ERROR;
	}
	return r;
}

/* --- descriptors that travel with ordinary data */

struct stream_fds {
	int v[STREAM_FDS_MAX];
	size_t n;
};
union many {
	struct cmsghdr head;
	char room[CMSG_SPACE(STREAM_FDS_MAX * sizeof(int))];
};

void stream_accept_fds(struct stream *s)
{
	if (!s->poll->fds)
		s->poll->fds = mem_zero(sizeof(*s->poll->fds));
}

void stream_fds_free(struct stream_fds *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		close(f->v[i]);
	free(f);
}

static void keep(struct stream_fds *f, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		if (f->n < STREAM_FDS_MAX)
			f->v[f->n++] = fd;
		else
			close(fd);
	}
}

ssize_t stream_read_fds(struct stream *s, void *p, size_t n)
{
	union many control;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);

	for (struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			keep(s->poll->fds, c);
	return got;
}

size_t stream_take_fds(struct stream *s, int *fds, size_t max)
{
	struct stream_fds *f = s->poll->fds;
	size_t n = 0;

	for (size_t i = 0; f && i < f->n; i++) {
		if (n < max)
			fds[n++] = f->v[i];
		else
			close(f->v[i]);
	}
	if (f)
		f->n = 0;
	return n;
}

#define CROWDED_MS 10 /* the kernel has too many descriptors under way just now */

/* The kernel ties descriptors to the first byte that it takes. */
enum wait stream_flush_fds(struct stream *s, const int *fds, size_t n, int64_t deadline)
{
	union many control;
	struct iovec v = {s->out.p + s->out_at, s->out.n - s->out_at};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	enum wait r = WAIT_OK;

	if (n > 0 && n <= STREAM_FDS_MAX) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		memset(&control, 0, m.msg_controllen);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	}
	while (r == WAIT_OK) {
		ssize_t sent = sendmsg(s->fd, &m, MSG_NOSIGNAL);
		if (sent >= 0) {
			s->bytes_out += (uint64_t)sent;
			stream_sent(s, (size_t)sent);
			return stream_flush(s, deadline);
		}
		if (errno == EAGAIN)
			r = stream_poll_wait(s, ROLE_WRITER, WANT_WRITE, deadline, false);
		else if (errno == ETOOMANYREFS)
			r = deadline == FOREVER || loop_now() < deadline ? co_sleep(CROWDED_MS)
									 : WAIT_TIMEOUT;
		else if (errno != EINTR)
			r = WAIT_ERROR;
	}
	return r;
}

size_t stream_unread_by_peer(const struct stream *s)
{
	int n;

	return ioctl(s->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}
