/* Making and reading queue files. */
#include "queue/qfile.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/io.h"
#include "queue/le.h"
#include "queue/note.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define QFILE_MAGIC  "PSTNMSG1"
#define COPY_PIECE   (256u << 10)
#define ENVELOPE_MAX (256u << 20)

static void qfile_head_put(unsigned char p[QFILE_HEAD], const struct qfile_head *h)
{
	memset(p, 0, QFILE_HEAD);
	memcpy(p, QFILE_MAGIC, 8);
	le32_put(p + 12, h->envelope_crc);
	le32_put(p + 16, h->content_crc);
	le64_put(p + 24, h->content_offset);
	le64_put(p + 32, h->content_length);
	le64_put(p + 40, h->envelope_offset);
	le64_put(p + 48, h->envelope_length);
	le32_put(p + 8, crc32c(0, p + 12, QFILE_HEAD - 12));
}

bool qfile_head_get(const unsigned char p[QFILE_HEAD], struct qfile_head *h)
{
	if (memcmp(p, QFILE_MAGIC, 8) != 0 || le32_get(p + 8) != crc32c(0, p + 12, QFILE_HEAD - 12))
		return false;
	h->envelope_crc = le32_get(p + 12);
	h->content_crc = le32_get(p + 16);
	h->content_offset = le64_get(p + 24);
	h->content_length = le64_get(p + 32);
	h->envelope_offset = le64_get(p + 40);
	h->envelope_length = le64_get(p + 48);
	return h->content_offset == QFILE_HEAD && h->content_length < INT64_MAX / 2 &&
	       h->envelope_offset == QFILE_HEAD + h->content_length &&
	       h->envelope_length <= ENVELOPE_MAX;
}

/* --- making */

/* The temporary file of a maker that died, which would be in the way for ever: nobody holds its
 * lock. */
static bool qfile_left_behind(const char *path)
{
	int fd = io_open(path, O_RDONLY | O_NOFOLLOW, 0, "queue.file.open");
	bool gone = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0;

	if (fd >= 0)
		close(fd);
	return gone;
}

static int qfile_create(const char *path)
{
	int fd = io_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, "queue.file.open");

	if ((fd < 0 && errno == ENOENT && io_make_parents(path) == 0) ||
	    (fd < 0 && errno == EEXIST && qfile_left_behind(path)))
		fd = io_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, "queue.file.open");
	return fd;
}

int qfile_begin(struct qfile_temp *t, const char *queue, const char *id, struct err *err)
{
	struct buf path = {0};
	const char *slash;

	queue_path(&path, queue, id);
	*t = (struct qfile_temp){.fd = -1, .final = mem_strdup(buf_text(&path))};
	slash = strrchr(t->final, '/');
	buf_cut(&path, (size_t)(slash - t->final));
	buf_printf(&path, "/.%s.tmp", id);
	t->path = mem_strdup(buf_text(&path));
	buf_free(&path);
	t->fd = qfile_create(t->path);
	if (t->fd < 0) {
		err_errno(err, errno, "create %s", t->path);
		free(t->path);
		free(t->final);
		*t = (struct qfile_temp){.fd = -1};
		return -1;
	}
	flock(t->fd, LOCK_EX | LOCK_NB);
	t->head.content_offset = QFILE_HEAD;
	return 0;
}

int qfile_content(struct qfile_temp *t, str content)
{
	if (io_write_at(t->fd, content.p, content.n, QFILE_HEAD + t->head.content_length,
		"queue.file.write") < 0)
		return -1;
	t->head.content_crc = crc32c(t->head.content_crc, content.p, content.n);
	t->head.content_length += content.n;
	return 0;
}

int qfile_content_from(struct qfile_temp *t, int fd, uint64_t offset, uint64_t length)
{
	char *piece = mem_alloc(COPY_PIECE);
	int result = 0;

	while (result == 0 && length > 0) {
		size_t n = length < COPY_PIECE ? (size_t)length : COPY_PIECE;

		result = io_read_at(fd, piece, n, offset, "queue.log.read");
		if (result == 0)
			result = qfile_content(t, str_mem(piece, n));
		offset += n;
		length -= n;
	}
	free(piece);
	return result;
}

static int qfile_set_time(int fd, int64_t mtime_s)
{
	struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

	if (mtime_s > 0)
		ts[1] = (struct timespec){.tv_sec = (time_t)mtime_s};
	return futimens(fd, ts);
}

int qfile_finish(struct qfile_temp *t, str envelope, str notes, mode_t mode, int64_t mtime_s)
{
	unsigned char head[QFILE_HEAD];
	struct iovec v[2] = {{(void *)envelope.p, envelope.n}, {(void *)notes.p, notes.n}};

	t->head.envelope_offset = QFILE_HEAD + t->head.content_length;
	t->head.envelope_length = envelope.n;
	t->head.envelope_crc = crc32c(0, envelope.p, envelope.n);
	qfile_head_put(head, &t->head);
	if (io_writev_at(t->fd, v, 2, t->head.envelope_offset, "queue.file.write") < 0 ||
	    io_write_at(t->fd, head, sizeof head, 0, "queue.file.write") < 0 ||
	    fchmod(t->fd, mode) < 0)
		return -1;
	return mtime_s > 0 ? qfile_set_time(t->fd, mtime_s) : 0;
}

int qfile_sync(struct qfile_temp *t)
{
	return io_sync(t->fd, "queue.file.sync");
}

void qfile_forget(struct qfile_temp *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->path);
	free(t->final);
	*t = (struct qfile_temp){.fd = -1};
}

int qfile_publish(struct qfile_temp *t)
{
	if (io_rename(t->path, t->final, true, "queue.file.rename") < 0)
		return -1;
	qfile_forget(t);
	return 0;
}

void qfile_drop(struct qfile_temp *t)
{
	int saved = errno;

	if (t->path)
		unlink(t->path);
	if (t->path)
		qfile_forget(t);
	errno = saved;
}

int qfile_commit(
    struct qfile_temp *t, str envelope, str notes, mode_t mode, int64_t mtime_s, struct err *err)
{
	char *final = mem_strdup(t->final);
	int result;

	result = qfile_finish(t, envelope, notes, mode, mtime_s);
	if (result == 0)
		result = qfile_sync(t);
	if (result == 0)
		result = qfile_publish(t);
	if (result == 0 && io_sync_parent(final) < 0) {
		/* Perhaps it is there after a crash, perhaps not: nobody may be told that it is. */
		int saved = errno;

		unlink(final);
		errno = saved;
		result = -1;
	}
	if (result < 0) {
		err_errno(err, errno, "write %s", final);
		qfile_drop(t);
	}
	free(final);
	return result;
}

/* --- reading */

int qfile_open(const char *path, int flags, struct qfile_head *h, struct err *err)
{
	unsigned char p[QFILE_HEAD];
	int fd = io_open(path, flags | O_NOFOLLOW, 0, "queue.file.open");

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (io_read_at(fd, p, sizeof p, 0, "queue.file.read") < 0) {
		err_errno(err, errno, "read %s", path);
		close(fd);
		return -1;
	}
	if (!qfile_head_get(p, h)) {
		close(fd);
		return err_errno(err, EBADMSG, "%s: not a queue file, or damaged", path);
	}
	return fd;
}

/* Everything from offset to the end of the file, at most limit bytes. */
static int qfile_read_rest(int fd, uint64_t offset, size_t limit, struct buf *out)
{
	struct stat st;
	size_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if ((uint64_t)st.st_size <= offset)
		return 0;
	n = (uint64_t)st.st_size - offset < limit ? (size_t)((uint64_t)st.st_size - offset) : limit;
	if (io_read_at(fd, buf_room(out, n), n, offset, "queue.file.read") < 0)
		return -1;
	buf_added(out, n);
	return 0;
}

int qfile_read_envelope(int fd, const struct qfile_head *h, struct envelope *e, struct arena *a,
    uint64_t *end, struct err *err)
{
	struct buf all = {0};
	struct note n;
	str rest;
	int result = -1;

	if (qfile_read_rest(fd, h->envelope_offset, ENVELOPE_MAX, &all) < 0) {
		err_errno(err, errno, "read envelope");
		goto out;
	}
	if (all.n < h->envelope_length ||
	    crc32c(0, buf_view(&all).p, h->envelope_length) != h->envelope_crc) {
		err_errno(err, EBADMSG, "envelope: wrong checksum");
		goto out;
	}
	result = envelope_decode(e, a, str_head(buf_view(&all), h->envelope_length), err);
	if (result < 0)
		goto out;
	rest = str_from(buf_view(&all), h->envelope_length);
	while (note_take(&rest, &n))
		note_merge(&n, e, a);
	if (end)
		*end = h->envelope_offset + all.n - rest.n;
out:
	buf_free(&all);
	return result;
}

int qfile_check_content(int fd, const struct qfile_head *h, struct err *err)
{
	char *piece = mem_alloc(COPY_PIECE);
	uint64_t at = 0;
	uint32_t crc = 0;
	int result = 0;

	while (result == 0 && at < h->content_length) {
		uint64_t left = h->content_length - at;
		size_t n = left < COPY_PIECE ? (size_t)left : COPY_PIECE;

		result = io_read_at(fd, piece, n, h->content_offset + at, "queue.file.read");
		if (result == 0)
			crc = crc32c(crc, piece, n);
		at += n;
	}
	free(piece);
	if (result < 0)
		return err_errno(err, errno, "read content");
	return crc == h->content_crc ? 0 : err_errno(err, EBADMSG, "content: wrong checksum");
}

/* Where the status area's whole notes end. */
static int qfile_area_end(int fd, const struct qfile_head *h, uint64_t *end)
{
	uint64_t start = h->envelope_offset + h->envelope_length;
	struct buf area = {0};
	struct note n;
	str rest;

	if (qfile_read_rest(fd, start, ENVELOPE_MAX, &area) < 0) {
		buf_free(&area);
		return -1;
	}
	rest = buf_view(&area);
	while (note_take(&rest, &n))
		;
	*end = start + area.n - rest.n;
	buf_free(&area);
	return 0;
}

int qfile_append(const char *path, str notes, bool sync)
{
	struct qfile_head h;
	struct err err;
	uint64_t end;
	int fd = qfile_open(path, O_RDWR, &h, &err), result, saved;

	if (fd < 0) {
		errno = err.code;
		return -1;
	}
	result = qfile_area_end(fd, &h, &end);
	if (result == 0)
		result = io_write_at(fd, notes.p, notes.n, end, "queue.file.write");
	if (result == 0 && sync)
		result = io_datasync(fd, "queue.file.sync");
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}
