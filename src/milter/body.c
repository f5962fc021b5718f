#include "milter/body.h"

#include "base/mem.h"
#include "loop/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_MEMORY  ((size_t)512 * 1024)	      /* of one body */
#define ALL_MEMORY ((size_t)32 * 1024 * 1024) /* of all bodies of this process */
#define PIECE	   65535u
#define SPOOL	   "incoming"

static size_t memory_used;

struct milter_body *milter_body_new(uint64_t limit)
{
	struct milter_body *b = mem_zero(sizeof(*b));

	b->file = -1;
	b->made = true;
	b->limit = limit;
	return b;
}

void milter_body_free(struct milter_body *b)
{
	if (!b)
		return;
	if (b->made) {
		memory_used -= b->gathered.n;
		buf_free(&b->gathered);
		if (b->file >= 0)
			close(b->file);
	}
	free(b);
}

/* --- files. These run in a thread of the pool. */

struct job {
	const struct milter_body *body;
	int file;
	char *p;
	size_t n;
	uint64_t offset;
	int error;
};

/* Without a name, so that nothing is left behind whatever happens. */
static int open_spool(void)
{
	char name[] = SPOOL "/.milter-XXXXXX.tmp";
	int fd = open(SPOOL, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	fd = mkostemps(name, 4, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static void write_run(void *arg)
{
	struct job *j = arg;
	size_t at = 0;

	if (j->file < 0)
		j->file = open_spool();
	if (j->file < 0)
		j->error = errno;
	while (!j->error && at < j->n) {
		ssize_t n = pwrite(j->file, j->p + at, j->n - at, (off_t)(j->offset + at));
		if (n >= 0)
			at += (size_t)n;
		else if (errno != EINTR)
			j->error = errno;
	}
}

static void read_run(void *arg)
{
	struct job *j = arg;
	size_t at = 0;

	while (!j->error && at < j->n) {
		ssize_t n = pread(j->file, j->p + at, j->n - at, (off_t)(j->offset + at));
		if (n > 0)
			at += (size_t)n;
		else if (n == 0)
			j->error = EIO;
		else if (errno != EINTR)
			j->error = errno;
	}
}

/* --- a body that is made */

static int spill(struct milter_body *b, struct err *err)
{
	struct job j = {.file = b->file, .p = b->gathered.p, .n = b->gathered.n};

	j.offset = b->length - b->gathered.n;
	work_run(write_run, &j);
	b->file = j.file;
	memory_used -= b->gathered.n;
	buf_clear(&b->gathered);
	return j.error ? err_errno(err, j.error, "write the new body to %s", SPOOL) : 0;
}

static int grown(struct milter_body *b, size_t before, struct err *err)
{
	size_t n = b->gathered.n - before;

	b->length += n;
	memory_used += n;
	if (b->limit && b->stuff.size > b->limit)
		return err_errno(
		    err, EFBIG, "new body of more than %llu bytes", (unsigned long long)b->limit);
	if (b->gathered.n > IN_MEMORY || (b->file >= 0 && b->gathered.n > 4 * PIECE) ||
	    (memory_used > ALL_MEMORY && b->gathered.n > PIECE))
		return spill(b, err);
	return 0;
}

int milter_body_add(struct milter_body *b, str piece, struct err *err)
{
	size_t before = b->gathered.n;

	wire_stuff_feed(&b->stuff, piece, &b->gathered);
	return grown(b, before, err);
}

int milter_body_done(struct milter_body *b, struct err *err)
{
	size_t before = b->gathered.n;

	wire_stuff_end(&b->stuff, &b->gathered);
	if (grown(b, before, err) < 0 || (b->file >= 0 && spill(b, err) < 0))
		return -1;
	b->memory = buf_view(&b->gathered);
	return 0;
}

/* --- reading */

static int each_of_file(
    const struct milter_body *b, bool (*fn)(void *ctx, str wire), void *ctx, struct err *err)
{
	struct job j = {.file = b->file, .offset = b->offset, .p = mem_alloc(PIECE)};
	uint64_t left = b->length;
	bool go = true;

	while (left && go && !j.error) {
		j.n = left < PIECE ? (size_t)left : PIECE;
		work_run(read_run, &j);
		if (j.error)
			break;
		go = fn(ctx, str_mem(j.p, j.n));
		j.offset += j.n;
		left -= j.n;
	}
	free(j.p);
	if (j.error)
		return err_errno(err, j.error, "read the message's body");
	return go ? 0 : 1;
}

int milter_body_each(
    const struct milter_body *b, bool (*fn)(void *ctx, str wire), void *ctx, struct err *err)
{
	if (b->file >= 0)
		return each_of_file(b, fn, ctx, err);
	return b->memory.n == 0 || fn(ctx, b->memory) ? 0 : 1;
}
