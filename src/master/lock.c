/* One master per queue and per data directory: locked files, the first with our process ID in it.
 */
#include "base/file.h"
#include "master/master.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PID_FILE "pid/master.pid" /* in the queue directory */

/* The descriptor stays open for as long as we live: closing it would end the lock. */
static int lock_file(const char *path, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_errno(err, errno, "open lock file %s", path);
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		int error = errno;

		close(fd);
		return err_errno(
		    err, error, "open lock file %s: unable to set exclusive lock", path);
	}
	return fd;
}

int lock_take(struct err *err)
{
	struct buf path = {0};
	char text[32];
	int fd = lock_file(PID_FILE, err);

	if (fd < 0)
		return -1;
	snprintf(text, sizeof text, "%10ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || file_pwrite_all(fd, text, strlen(text), 0) < 0)
		return err_errno(err, errno, "write %s", PID_FILE);
	buf_printf(&path, "%s/master.lock", conf.data_directory);
	fd = lock_file(buf_text(&path), err);
	buf_free(&path);
	return fd < 0 ? -1 : 0;
}

bool lock_is_free(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(PID_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_free;

	if (fd < 0)
		return errno == ENOENT;
	is_free = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
	close(fd);
	return is_free;
}
