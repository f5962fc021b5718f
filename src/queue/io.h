/* System calls of the queue, each with its fault point. Private to src/queue; blocking.
 *
 * Point: call; what a failure means.
 * - queue.segment.open: open, create or lock a segment; the batch fails, clients get 4xx
 * - queue.segment.alloc: fallocate and zeroes of a new segment; the same, the new file is removed
 * - queue.segment.write: write of a segment's header; another segment is tried
 * - queue.segment.sync: fdatasync of a segment's header; the same
 * - queue.segment.unlink: removal of a segment; it stays, and is tried again
 * - queue.log.write: append of a batch; the batch fails, its segment is closed
 * - queue.log.sync: fdatasync of a batch; the same
 * - queue.log.read: read of a record; error to the caller
 * - queue.file.open: open or create a queue file; error to the caller
 * - queue.file.write: write of a queue file; error, the temporary file is removed
 * - queue.file.sync: fsync of a queue file; the same
 * - queue.file.rename: its final name, or its way to another queue; error, the file is where it was
 * - queue.file.read: read of a queue file; error to the caller
 * - queue.file.unlink: end of a queue file; a warning, its end is in the status log
 * - queue.dir.sync: fsync of a directory; error, the new name is taken back
 * - queue.status.open: create a status log file; records stay in memory, tried again
 * - queue.status.write: append to the status log; the same, in a new file
 * - queue.status.sync: fdatasync of the status log; the same
 *
 * Times that a test may shorten: queue.segment.age, queue.log.age (and qmgr.age.interval). */
#ifndef POSTERN_QUEUE_IO_H
#define POSTERN_QUEUE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* All return -1 with errno on failure. */
int io_open(const char *path, int flags, mode_t mode, const char *point); /* close-on-exec */
int io_write_at(int fd, const void *p, size_t n, uint64_t offset, const char *point);
/* Writes the vectors one behind the other; they are used up. */
int io_writev_at(int fd, struct iovec *v, size_t nv, uint64_t offset, const char *point);
int io_datasync(int fd, const char *point);
int io_sync(int fd, const char *point);
/* Fails with EEXIST when "to" is there, if exclusive. */
int io_rename(const char *from, const char *to, bool exclusive, const char *point);
int io_unlink(const char *path, const char *point);
int io_sync_dir(const char *path);
/* Directory of a path, synced. */
int io_sync_parent(const char *path);
/* Exactly n bytes; fewer is errno EBADMSG. */
int io_read_at(int fd, void *p, size_t n, uint64_t offset, const char *point);
/* Makes the missing directories above path (0700). */
int io_make_parents(const char *path);

#endif
