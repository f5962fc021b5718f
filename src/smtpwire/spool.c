#include "smtpwire/spool.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "loop/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (64 * 1024)

struct spool {
	struct buf mem; /* all of it; with a file, what is not written yet */
	uint64_t size;
	const char *directory;
	int fd;
	struct err err; /* code 0: none */
};

static size_t memory_all; /* of all spools */

struct spool *spool_new(const char *directory)
{
	struct spool *s = mem_zero(sizeof(*s));

	s->directory = directory;
	s->fd = -1;
	return s;
}

static void drop_memory(struct spool *s)
{
	memory_all -= s->mem.n;
	buf_free(&s->mem);
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	drop_memory(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* Where the file system has no files without a name, it has one for a moment. */
static int open_named(const char *directory)
{
	static atomic_uint count;
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/.spool.%ld.%u", directory, (long)getpid(), count++);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

struct job {
	struct spool *s;
	uint64_t offset;
	char *p; /* where a piece is read to */
	size_t n;
	int code;
};

static void write_out(void *arg)
{
	struct job *j = arg;
	struct spool *s = j->s;
	int fault = fault_at("spool.write");

	if (fault) {
		j->code = fault == FAULT_SHORT ? ENOSPC : fault;
		return;
	}
	if (s->fd < 0)
		s->fd = open(s->directory, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		s->fd = open_named(s->directory);
	if (s->fd < 0 || file_pwrite_all(s->fd, s->mem.p, s->mem.n, (off_t)j->offset) < 0)
		j->code = errno;
}

/* Moves what is in memory to the file. */
static void flush(struct spool *s)
{
	struct job j = {.s = s, .offset = s->size - s->mem.n};

	work_run(write_out, &j);
	if (j.code)
		err_errno(&s->err, j.code, "write a temporary file in %s", s->directory);
	memory_all -= s->mem.n;
	buf_clear(&s->mem);
}

void spool_put(struct spool *s, str piece)
{
	if (s->err.code)
		return;
	buf_str(&s->mem, piece);
	memory_all += piece.n;
	s->size += piece.n;
	if (s->mem.n > (s->fd >= 0 ? PIECE : SPOOL_MEMORY) ||
	    (memory_all > SPOOL_MEMORY_ALL && s->mem.n > PIECE))
		flush(s);
}

int spool_end(struct spool *s, struct err *err)
{
	if (s->fd >= 0 && s->mem.n > 0 && !s->err.code) {
		flush(s);
		drop_memory(s);
	}
	if (!s->err.code)
		return 0;
	*err = s->err;
	return -1;
}

uint64_t spool_size(const struct spool *s)
{
	return s->size;
}

int spool_place(const struct spool *s, str *memory)
{
	*memory = s->fd < 0 ? buf_view(&s->mem) : STR("");
	return s->fd;
}

static void read_in(void *arg)
{
	struct job *j = arg;
	ssize_t r;

	do {
		r = pread(j->s->fd, j->p, j->n, (off_t)j->offset);
	} while (r < 0 && errno == EINTR);
	j->code = r < 0 ? errno : r == 0 ? EIO : 0;
	j->n = r > 0 ? (size_t)r : 0;
}

static int read_file(struct spool *s, int (*give)(void *arg, str piece), void *arg, struct err *err)
{
	struct job j = {.s = s, .p = mem_alloc(PIECE)};
	int rc = 0;

	while (rc == 0 && j.offset < s->size) {
		uint64_t left = s->size - j.offset;

		j.n = left < PIECE ? (size_t)left : PIECE;
		work_run(read_in, &j);
		if (j.code)
			rc = err_errno(err, j.code, "read a temporary file");
		else
			rc = give(arg, str_mem(j.p, j.n));
		j.offset += j.n;
	}
	free(j.p);
	return rc;
}

int spool_read(struct spool *s, int (*give)(void *arg, str piece), void *arg, struct err *err)
{
	if (s->fd >= 0)
		return read_file(s, give, arg, err);
	return s->mem.n > 0 ? give(arg, buf_view(&s->mem)) : 0;
}
