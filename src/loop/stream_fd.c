/* Descriptors over UNIX streams: SCM_RIGHTS. */
#include "loop/poll.h"
#include "loop/stream.h"

#include <errno.h>
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

static enum wait got_fd(struct msghdr *m, int *fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int))) {
		errno = EBADMSG;
		return WAIT_ERROR;
	}
	memcpy(fd, CMSG_DATA(c), sizeof(int));
	return WAIT_OK;
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
