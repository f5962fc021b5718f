/* Opening content, with a small cache of descriptors, and reading its lines. */
#include "base/buf.h"
#include "base/htab.h"
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
	struct list idle; /* least recently used first, while nobody uses it */
	char *path;
	int fd;
	unsigned users;
	bool current; /* by_path leads here */
};
static struct htab by_path;
static struct content_file **by_fd;
static size_t by_fd_size;
static struct list idle_files = {&idle_files, &idle_files};
static unsigned idle_count;

static void file_forget(struct content_file *f)
{
	list_remove(&f->idle);
	if (f->current)
		htab_del(&by_path, str_of(f->path));
	by_fd[f->fd] = NULL;
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

/* The cached file of this name, if it is still that. */
static struct content_file *file_cached(const char *path)
{
	struct content_file *f = htab_get(&by_path, str_of(path));

	if (!f || file_is_current(f))
		return f;
	htab_del(&by_path, str_of(path));
	f->current = false;
	if (f->users == 0) {
		idle_count--;
		file_forget(f);
	}
	return NULL;
}

static void file_remember(const char *path, int fd)
{
	struct content_file *f = mem_zero(sizeof *f);

	f->path = mem_strdup(path);
	f->fd = fd;
	f->users = 1;
	f->current = true;
	list_init(&f->idle);
	htab_set(&by_path, str_of(path), f);
	if ((size_t)fd >= by_fd_size) {
		size_t size = (size_t)fd * 2 + 16;

		by_fd = mem_realloc(by_fd, size * sizeof *by_fd);
		memset(by_fd + by_fd_size, 0, (size - by_fd_size) * sizeof *by_fd);
		by_fd_size = size;
	}
	by_fd[fd] = f;
}

int queue_content_open(const char *path, struct err *err)
{
	struct content_file *f = file_cached(path);
	int fd;

	if (f) {
		if (f->users++ == 0) {
			idle_count--;
			list_remove(&f->idle);
		}
		return f->fd;
	}
	fd = io_open(path, O_RDONLY, 0, "queue.file.open");
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	file_remember(path, fd);
	return fd;
}

void queue_content_release(int fd)
{
	struct content_file *f = fd >= 0 && (size_t)fd < by_fd_size ? by_fd[fd] : NULL;

	if (!f || f->users == 0 || --f->users > 0)
		return;
	if (!f->current) {
		file_forget(f);
		return;
	}
	list_append(&idle_files, &f->idle);
	if (++idle_count > IDLE_MAX) {
		idle_count--;
		file_forget(LIST_ITEM(idle_files.next, struct content_file, idle));
	}
}

/* --- lines */

struct content_reader {
	int fd;
	uint64_t start, length;
	uint64_t at;   /* read into the buffer so far, from the start of the content */
	struct buf in; /* in.p[used ..] is unread */
	size_t used;
	uint64_t line;	    /* where the last piece began */
	bool inside, ended; /* the last piece went on with a line; ended one */
};

struct content_reader *content_open(int fd, uint64_t offset, uint64_t length)
{
	struct content_reader *r = mem_zero(sizeof *r);

	r->fd = fd;
	r->start = offset;
	r->length = length;
	r->ended = true;
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
	r->inside = false;
	r->ended = true;
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

bool content_line_begins(const struct content_reader *r)
{
	return !r->inside;
}

bool content_line_ends(const struct content_reader *r)
{
	return r->ended;
}

#define WHOLE (CONTENT_PIECE + 1) /* so that what is left of a line is more than its CR */

static void take_piece(struct content_reader *r, str have, const char *lf, str *line)
{
	size_t n = lf ? (size_t)(lf - have.p) : have.n;

	if (n > WHOLE)
		n = CONTENT_PIECE;
	r->line = r->at - have.n;
	r->inside = !r->ended;
	r->ended = lf ? have.p + n == lf : n == have.n;
	r->used += n + (lf && r->ended ? 1 : 0);
	*line = str_head(have, n);
	if (lf && r->ended && n > 0 && line->p[n - 1] == '\r')
		line->n--;
	if (!r->inside && line->n > 0 && line->p[0] == '.')
		*line = str_from(*line, 1);
}

int content_line(struct content_reader *r, str *line)
{
	size_t searched = 0;

	for (;;) {
		str have = str_from(buf_view(&r->in), r->used);
		const char *lf =
		    have.n > searched ? memchr(have.p + searched, '\n', have.n - searched) : NULL;

		if (!lf && have.n <= WHOLE && r->at < r->length) {
			searched = have.n;
			if (content_fill(r) < 0)
				return -1;
			continue;
		}
		if (have.n == 0)
			return 0;
		take_piece(r, have, lf, line);
		return 1;
	}
}
