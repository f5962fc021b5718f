/* Opening content, with a small cache of descriptors, and reading its lines. */
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "queue/io.h"
#include "queue/queue.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_MAX   16	       /* descriptors kept open while nobody uses them */
#define READ_AHEAD (64u << 10) /* of a content reader */

struct content_file {
	struct list node; /* most recently used first */
	char *path;
	int fd;
	unsigned users;
};
static struct list files = {&files, &files};
static unsigned idle_files;

static void file_forget(struct content_file *f)
{
	list_remove(&f->node);
	close(f->fd);
	free(f->path);
	free(f);
}

/* A cached descriptor whose file has been unlinked would hand out what used to be there under this
 * name. */
static bool file_is_current(const struct content_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && st.st_nlink > 0;
}

int queue_content_open(const char *path, struct err *err)
{
	struct content_file *f;
	int fd;

	LIST_FOREACH (f, &files, struct content_file, node) {
		if (strcmp(f->path, path) != 0)
			continue;
		if (f->users == 0) {
			idle_files--;
			if (!file_is_current(f)) {
				file_forget(f);
				break;
			}
		} else if (!file_is_current(f)) {
			continue; /* its users may go on with it */
		}
		f->users++;
		list_remove(&f->node);
		list_prepend(&files, &f->node);
		return f->fd;
	}
	fd = io_open(path, O_RDONLY, 0, "queue.file.open");
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	f = mem_zero(sizeof *f);
	f->path = mem_strdup(path);
	f->fd = fd;
	f->users = 1;
	list_init(&f->node);
	list_prepend(&files, &f->node);
	return fd;
}

void queue_content_release(int fd)
{
	struct content_file *f, *oldest = NULL;

	LIST_FOREACH (f, &files, struct content_file, node) {
		if (f->fd == fd && f->users > 0 && --f->users == 0)
			idle_files++;
		if (f->users == 0)
			oldest = f;
	}
	if (idle_files > IDLE_MAX && oldest) {
		idle_files--;
		file_forget(oldest);
	}
}

/* --- lines */

struct content_reader {
	int fd;
	uint64_t start, length;
	uint64_t at;   /* read into the buffer so far, from the start of the content */
	struct buf in; /* in.p[used ..] is unread */
	size_t used;
	uint64_t line; /* where the last line began */
};

struct content_reader *content_open(int fd, uint64_t offset, uint64_t length)
{
	struct content_reader *r = mem_zero(sizeof *r);

	r->fd = fd;
	r->start = offset;
	r->length = length;
	return r;
}

void content_close(struct content_reader *r)
{
	if (!r)
		return;
	buf_free(&r->in);
	free(r);
}

void content_rewind(struct content_reader *r)
{
	r->at = 0;
	r->used = 0;
	buf_clear(&r->in);
}

static int content_fill(struct content_reader *r)
{
	uint64_t left = r->length - r->at;
	size_t n = left < READ_AHEAD ? (size_t)left : READ_AHEAD;
	ssize_t got;

	buf_drop(&r->in, r->used);
	r->used = 0;
	do {
		got = pread(r->fd, buf_room(&r->in, n), n, (off_t)(r->start + r->at));
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		errno = EIO;
		return -1;
	}
	buf_added(&r->in, (size_t)got);
	r->at += (uint64_t)got;
	return 0;
}

uint64_t content_line_offset(const struct content_reader *r)
{
	return r->line;
}

int content_line(struct content_reader *r, str *line)
{
	size_t searched = 0;

	for (;;) {
		str have = str_from(buf_view(&r->in), r->used);
		const char *lf =
		    have.n > searched ? memchr(have.p + searched, '\n', have.n - searched) : NULL;

		if (!lf && r->at < r->length) {
			searched = have.n;
			if (content_fill(r) < 0)
				return -1;
			continue;
		}
		if (have.n == 0)
			return 0;
		r->line = r->at - have.n;
		*line = lf ? str_mem(have.p, (size_t)(lf - have.p)) : have;
		r->used += line->n + (lf ? 1 : 0);
		if (lf && line->n > 0 && line->p[line->n - 1] == '\r')
			line->n--;
		if (line->n > 0 && line->p[0] == '.')
			*line = str_from(*line, 1);
		return 1;
	}
}
