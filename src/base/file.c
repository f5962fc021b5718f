#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t limit, struct buf *out, struct err *err)
{
	size_t start = out->n;
	ssize_t n;

	for (;;) {
		n = read(fd, buf_room(out, 16384), 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read %s", path);
		if (n == 0)
			return 0;
		if (out->n - start + (size_t)n > limit)
			return err_errno(err, EFBIG, "read %s", path);
		buf_added(out, (size_t)n);
	}
}

int file_read(const char *path, size_t limit, struct buf *out, struct err *err)
{
	size_t start = out->n;
	struct stat st;
	int fd, result;

	/* Not to hang on a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		result = err_errno(err, errno, "stat %s", path);
	else if (!S_ISREG(st.st_mode))
		result = err_errno(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "read %s", path);
	else
		result = read_all(fd, path, limit, out, err);
	close(fd);
	if (result < 0 && out->p) {
		buf_cut(out, start);
		buf_added(out, 0); /* the NUL again */
	}
	return result;
}

int file_pwrite_all(int fd, const void *p, size_t n, off_t offset)
{
	const char *at = p;
	ssize_t done;

	while (n) {
		done = pwrite(fd, at, n, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (done == 0)
				errno = ENOSPC;
			return -1;
		}
		at += done;
		n -= (size_t)done;
		offset += done;
	}
	return 0;
}

int file_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	ssize_t done;

	while (n) {
		done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (done == 0)
				errno = ENOSPC;
			return -1;
		}
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int fill_and_rename(int fd, const char *temp, const char *path, const void *p, size_t n,
    mode_t mode, struct err *err)
{
	if (fchmod(fd, mode) < 0)
		return err_errno(err, errno, "chmod %s", temp);
	if (file_write_all(fd, p, n) < 0)
		return err_errno(err, errno, "write %s", temp);
	if (fsync(fd) < 0)
		return err_errno(err, errno, "sync %s", temp);
	if (rename(temp, path) < 0)
		return err_errno(err, errno, "rename %s to %s", temp, path);
	return 0;
}

static int sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int result;

	if (!slash)
		return file_sync_dir(".", err);
	dir = mem_memdup(path, slash == path ? 1 : (size_t)(slash - path));
	result = file_sync_dir(dir, err);
	free(dir);
	return result;
}

int file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *err)
{
	struct buf temp = {0};
	int fd, result;

	buf_printf(&temp, "%s.XXXXXX", path);
	fd = mkostemp(temp.p, O_CLOEXEC);
	if (fd < 0) {
		result = err_errno(err, errno, "create %s", temp.p);
		buf_free(&temp);
		return result;
	}
	result = fill_and_rename(fd, temp.p, path, p, n, mode, err);
	close(fd);
	if (result < 0)
		unlink(temp.p);
	buf_free(&temp);
	return result < 0 ? -1 : sync_parent(path, err);
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	struct stat st;
	int code;

	if (mkdir(path, mode) == 0)
		return 0;
	code = errno;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return err_errno(err, code == EEXIST ? ENOTDIR : code, "create directory %s", path);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char *copy = mem_strdup(path), *slash = copy;
	int result = 0;

	while (result == 0 && (slash = strchr(slash + 1, '/'))) {
		*slash = 0;
		result = make_dir(copy, mode, err);
		*slash = '/';
	}
	free(copy);
	return result < 0 ? -1 : make_dir(path, mode, err);
}

int file_sync_dir(const char *path, struct err *err)
{
	int fd, result = 0;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fsync(fd) < 0)
		result = err_errno(err, errno, "sync %s", path);
	close(fd);
	return result;
}

int file_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return flags & O_NONBLOCK ? 0 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int file_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}
