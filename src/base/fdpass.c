#include "base/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union room { /* for one descriptor */
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int fdpass_send(int to, const void *p, size_t n, int fd)
{
	union room room = {.head = {.cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec v = {(void *)p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t r;

	if (fd >= 0) {
		memcpy(CMSG_DATA(&room.head), &fd, sizeof fd);
		m.msg_control = &room;
		m.msg_controllen = sizeof room;
	}
	do {
		r = sendmsg(to, &m, MSG_NOSIGNAL);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

ssize_t fdpass_receive(int from, void *p, size_t n, int *fd)
{
	union room room;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	const struct cmsghdr *c;
	ssize_t r;

	*fd = -1;
	do {
		m.msg_control = &room;
		m.msg_controllen = sizeof room;
		r = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	} while (r < 0 && errno == EINTR);
	c = r > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return r;
}
