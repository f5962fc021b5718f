/* Safe file helpers. None of them may be called where the loop must not block on a slow disk;
 * use work_run() (loop/work.h) for fsync and large reads. */
#ifndef POSTERN_BASE_FILE_H
#define POSTERN_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include <sys/types.h>

/* Reads a whole regular file of at most limit bytes, appended to out. 0, or -1 and err (code EFBIG
 * when it is larger). */
int file_read(const char *path, size_t limit, struct buf *out, struct err *err);

/* Writes all n bytes at offset; short writes and EINTR are continued. 0, or -1 with errno. */
int file_pwrite_all(int fd, const void *p, size_t n, off_t offset);
int file_write_all(int fd, const void *p, size_t n);

/* Replaces path atomically: writes a temporary file beside it, fsyncs, renames, fsyncs the
 * directory. */
int file_replace(const char *path, const void *p, size_t n, mode_t mode, struct err *err);

/* Makes a directory if it is not there (parents too); not an error if it is. */
int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* fsync of a directory, so that a rename or a creation in it is durable. */
int file_sync_dir(const char *path, struct err *err);

int file_nonblock(int fd); /* 0, or -1 with errno */
int file_cloexec(int fd);

#endif
