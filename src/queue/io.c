#include "queue/io.h"

#include "base/fault.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VECTORS_AT_ONCE 256

static int io_fault(const char *point)
{
	int fault = fault_at(point);

	if (fault == 0)
		return 0;
	errno = fault == FAULT_SHORT ? ENOSPC : fault;
	return -1;
}

int io_open(const char *path, int flags, mode_t mode, const char *point)
{
	if (io_fault(point) < 0)
		return -1;
	return open(path, flags | O_CLOEXEC, mode);
}

int io_write_at(int fd, const void *p, size_t n, uint64_t offset, const char *point)
{
	struct iovec v = {.iov_base = (void *)p, .iov_len = n};

	return io_writev_at(fd, &v, 1, offset, point);
}

/* Cuts the vectors to half of their bytes, as a device that fills up in the middle would. */
static size_t io_cut_half(struct iovec *v, size_t nv)
{
	size_t total = 0, left, i;

	for (i = 0; i < nv; i++)
		total += v[i].iov_len;
	left = total / 2;
	for (i = 0; i < nv && left > 0; i++) {
		if (v[i].iov_len > left)
			v[i].iov_len = left;
		left -= v[i].iov_len;
	}
	return i;
}

static int io_writev_all(int fd, struct iovec *v, size_t nv, uint64_t offset)
{
	while (nv > 0) {
		ssize_t put;

		if (v->iov_len == 0) {
			v++, nv--;
			continue;
		}
		put = pwritev(
		    fd, v, (int)(nv < VECTORS_AT_ONCE ? nv : VECTORS_AT_ONCE), (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (put == 0)
				errno = ENOSPC;
			return -1;
		}
		offset += (uint64_t)put;
		while (put > 0) {
			size_t part = (size_t)put < v->iov_len ? (size_t)put : v->iov_len;

			v->iov_base = (char *)v->iov_base + part;
			v->iov_len -= part;
			put -= (ssize_t)part;
			if (v->iov_len == 0)
				v++, nv--;
		}
	}
	return 0;
}

int io_writev_at(int fd, struct iovec *v, size_t nv, uint64_t offset, const char *point)
{
	int fault = fault_at(point);

	if (fault == FAULT_SHORT) {
		if (io_writev_all(fd, v, io_cut_half(v, nv), offset) == 0)
			errno = ENOSPC;
		return -1;
	}
	if (fault != 0) {
		errno = fault;
		return -1;
	}
	return io_writev_all(fd, v, nv, offset);
}

int io_datasync(int fd, const char *point)
{
	if (io_fault(point) < 0)
		return -1;
	return fdatasync(fd);
}

int io_sync(int fd, const char *point)
{
	if (io_fault(point) < 0)
		return -1;
	return fsync(fd);
}

int io_rename(const char *from, const char *to, bool exclusive, const char *point)
{
	if (io_fault(point) < 0)
		return -1;
	if (!exclusive)
		return rename(from, to);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* a file system without RENAME_NOREPLACE */
	if (link(from, to) < 0)
		return -1;
	return unlink(from);
}

int io_unlink(const char *path, const char *point)
{
	if (io_fault(point) < 0)
		return -1;
	return unlink(path);
}

int io_sync_dir(const char *path)
{
	int fd, result, saved;

	if (io_fault("queue.dir.sync") < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

/* postdrop may write into the maildrop but not open it: all of the file system then. */
static int sync_around(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), result, saved;

	if (fd < 0)
		return -1;
	result = syncfs(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

int io_sync_parent(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return io_sync_dir(".");
	if (snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path) >= (int)sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (io_sync_dir(dir) == 0)
		return 0;
	return errno == EACCES ? sync_around(path) : -1;
}

int io_read_at(int fd, void *p, size_t n, uint64_t offset, const char *point)
{
	char *at = p;

	if (io_fault(point) < 0)
		return -1;
	while (n > 0) {
		ssize_t got = pread(fd, at, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0) {
			errno = EBADMSG;
			return -1;
		}
		at += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int io_make_parents(const char *path)
{
	char dir[PATH_MAX];
	size_t i;

	for (i = 1; path[i] && i < sizeof dir; i++) {
		if (path[i] != '/')
			continue;
		memcpy(dir, path, i);
		dir[i] = '\0';
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}
