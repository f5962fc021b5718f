/* Connecting and listening. */
#include "base/file.h"
#include "loop/poll.h"
#include "loop/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 10 /* between attempts while a UNIX socket's backlog is full */

static void set_on(int fd, int level, int option)
{
	setsockopt(fd, level, option, &(int){1}, sizeof(int));
}

static int wait_errno(enum wait r)
{
	if (r == WAIT_TIMEOUT)
		return ETIMEDOUT;
	return r == WAIT_CANCEL ? ECANCELED : errno;
}

/* 0, or the errno. */
static int connect_and_wait(
    struct stream *s, const struct sockaddr *sa, socklen_t len, int64_t deadline)
{
	enum wait r;
	int code;

	while (connect(s->fd, sa, len) < 0) {
		if (errno == EISCONN)
			return 0;
		if (errno == EAGAIN && sa->sa_family == AF_UNIX) {
			if (deadline != FOREVER && loop_now() >= deadline)
				return ETIMEDOUT;
			if (co_sleep(RETRY_MS) != WAIT_OK)
				return ECANCELED;
			continue;
		}
		if (errno != EINPROGRESS && errno != EALREADY && errno != EINTR)
			return errno;
		r = stream_poll_wait(s, ROLE_WRITER, WANT_WRITE, deadline, false);
		if (r != WAIT_OK)
			return wait_errno(r);
		len = sizeof(code);
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
			return errno;
		return code;
	}
	return 0;
}

static void name_of(const struct hostaddr *a, char *out, size_t size)
{
	char text[HOSTADDR_TEXT];

	snprintf(out, size, a->sa.sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d",
	    hostaddr_text(a, text), hostaddr_port(a));
}

static int bind_source(int fd, const struct hostaddr *from)
{
	if (hostaddr_port(from) == 0)
		set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	else
		set_on(fd, SOL_SOCKET, SO_REUSEADDR);
	return bind(fd, &from->sa, from->len);
}

struct stream *stream_connect(
    const struct hostaddr *to, const struct hostaddr *bind_to, int64_t deadline, struct err *err)
{
	struct stream *s;
	char name[HOSTADDR_TEXT + 10], source[HOSTADDR_TEXT];
	int fd, code;

	name_of(to, name, sizeof(name));
	fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err_errno(err, errno, "socket for %s", name);
		return NULL;
	}
	set_on(fd, IPPROTO_TCP, TCP_NODELAY); /* output is gathered here */
	if (bind_to && bind_source(fd, bind_to) < 0) {
		err_errno(err, errno, "bind to %s", hostaddr_text(bind_to, source));
		close(fd);
		return NULL;
	}
	s = stream_new(fd);
	code = connect_and_wait(s, &to->sa, to->len, deadline);
	if (code) {
		err_errno(err, code, "connect to %s", name);
		stream_free(s);
		return NULL;
	}
	return s;
}

static int unix_address(struct sockaddr_un *un, const char *path, struct err *err)
{
	size_t n = strlen(path);

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n == 0 || n >= sizeof(un->sun_path))
		return err_errno(err, ENAMETOOLONG, "socket %s", path);
	memcpy(un->sun_path, path, n);
	return 0;
}

struct stream *stream_connect_unix(const char *path, int64_t deadline, struct err *err)
{
	struct sockaddr_un un;
	struct stream *s;
	int fd, code;

	if (unix_address(&un, path, err) < 0)
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err_errno(err, errno, "socket for %s", path);
		return NULL;
	}
	s = stream_new(fd);
	code = connect_and_wait(s, (struct sockaddr *)&un, sizeof(un), deadline);
	if (code) {
		err_errno(err, code, "connect to %s", path);
		stream_free(s);
		return NULL;
	}
	return s;
}

int listen_inet(const struct hostaddr *at, int backlog, struct err *err)
{
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char name[HOSTADDR_TEXT + 10];

	name_of(at, name, sizeof(name));
	if (fd < 0)
		return err_errno(err, errno, "socket for %s", name);
	set_on(fd, SOL_SOCKET, SO_REUSEADDR);
	set_on(fd, IPPROTO_TCP, TCP_NODELAY); /* inherited by what is accepted */
	if (at->sa.sa_family == AF_INET6)
		set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (bind(fd, &at->sa, at->len) < 0)
		err_errno(err, errno, "bind to %s", name);
	else if (listen(fd, backlog) < 0)
		err_errno(err, errno, "listen on %s", name);
	else
		return fd;
	close(fd);
	return -1;
}

int listen_unix(const char *path, mode_t mode, int backlog, struct err *err)
{
	struct sockaddr_un un;
	struct stat st;
	int fd;

	if (unix_address(&un, path, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket for %s", path);
	/* A socket that an earlier life has left behind; nothing else is removed. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		err_errno(err, errno, "bind to %s", path);
	else if (chmod(path, mode) < 0)
		err_errno(err, errno, "chmod %s", path);
	else if (listen(fd, backlog) < 0)
		err_errno(err, errno, "listen on %s", path);
	else
		return fd;
	close(fd);
	return -1;
}
