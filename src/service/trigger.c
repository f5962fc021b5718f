/* Waking a service through its socket or FIFO. */
#include "base/file.h"
#include "loop/co.h"
#include "service/service_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TRIGGER_RETRY 50 /* ms between attempts at a socket whose backlog is full */

/* Connecting to a UNIX socket is done at once or not at all, so that nothing here can hang. */
static int open_socket(const char *path, int type, struct err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof to.sun_path)
		return err_errno(err, ENAMETOOLONG, "%s", path);
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		int error = errno;

		close(fd);
		if (error == EPROTOTYPE && type == SOCK_STREAM)
			return open_socket(path, SOCK_DGRAM, err);
		return err_errno(err, error, "connect to %s", path);
	}
	return fd;
}

int service_trigger_now(const char *path, str bytes, struct err *err)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return err_errno(err, errno, "%s", path);
	if (S_ISFIFO(st.st_mode)) {
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return err_errno(err, errno, "open %s", path);
	} else if ((fd = open_socket(path, SOCK_STREAM, err)) < 0) {
		return -1;
	}
	if (file_write_all(fd, bytes.p, bytes.n) < 0) {
		int error = errno;

		close(fd);
		return err_errno(err, error, "write to %s", path);
	}
	close(fd);
	return 0;
}

static bool pause_a_little(void)
{
	struct timespec t = {.tv_nsec = TRIGGER_RETRY * 1000000L};

	if (co_self())
		return co_sleep(TRIGGER_RETRY) == WAIT_OK;
	nanosleep(&t, NULL);
	return true;
}

int service_trigger(const char *path, str bytes, struct err *err)
{
	for (int waited = 0;; waited += TRIGGER_RETRY) {
		if (service_trigger_now(path, bytes, err) == 0)
			return 0;
		if (err->code != EAGAIN || waited >= SERVICE_TRIGGER_WAIT || !pause_a_little())
			return -1;
	}
}
