#include "milter/body.h"

#include "base/mem.h"
#include "loop/work.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE 65535u

struct milter_body *milter_body_new(uint64_t limit)
{
	struct milter_body *b = mem_zero(sizeof(*b));

	b->file = -1;
	b->spool = spool_new("incoming");
	b->limit = limit;
	return b;
}

void milter_body_free(struct milter_body *b)
{
	if (!b)
		return;
	spool_free(b->spool);
	buf_free(&b->piece);
	free(b);
}

static void put(struct milter_body *b)
{
	spool_put(b->spool, buf_view(&b->piece));
	buf_clear(&b->piece);
}

int milter_body_add(struct milter_body *b, str piece, struct err *err)
{
	wire_stuff_feed(&b->stuff, piece, &b->piece);
	put(b);
	if (b->limit && b->stuff.size > b->limit)
		return err_errno(
		    err, EFBIG, "new body of more than %llu bytes", (unsigned long long)b->limit);
	return 0;
}

int milter_body_done(struct milter_body *b, struct err *err)
{
	wire_stuff_end(&b->stuff, &b->piece);
	put(b);
	if (spool_end(b->spool, err) < 0)
		return -1;
	b->file = spool_place(b->spool, &b->memory);
	b->length = spool_size(b->spool);
	return 0;
}

/* --- reading */

struct job {
	int file;
	char *p;
	size_t n;
	uint64_t offset;
	int error;
};

/* In a thread of the pool. */
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
