/* The bytes of a delivered message. */
#include "mailbox/letter.h"
#include "base/fault.h"
#include "base/file.h"
#include "mailbox/copy.h"
#include <errno.h>

struct sink {
	struct letter *l;
	int fd;
	uint64_t size;
};

static int sink_put(struct buf *piece, void *arg)
{
	struct sink *s = arg;
	int fault = fault_at("mailbox.write");
	size_t n = fault == FAULT_SHORT ? piece->n / 2 : piece->n;

	s->size += piece->n;
	if (s->l->limit && s->size > s->l->limit)
		fault = EFBIG;
	if (fault > 0 || file_write_all(s->fd, piece->p, n) < 0 || fault == FAULT_SHORT) {
		int code = fault > 0 ? fault : fault == FAULT_SHORT ? ENOSPC : errno;

		return err_errno(&s->l->err, code, "error writing message");
	}
	buf_clear(piece);
	return 0;
}

int letter_write(struct letter *l, int fd, bool mbox, uint64_t have)
{
	struct sink s = {.l = l, .fd = fd, .size = have};
	struct copy c = {.d = l->d,
	    .rcpt = l->rcpt,
	    .flags = COPY_RETURN_PATH | COPY_ORIG_TO | COPY_DELIVERED_TO,
	    .sender = l->d->m.sender,
	    .eol = STR("\n")};
	int r;

	if (mbox)
		c.flags |= COPY_FROM | COPY_QUOTE_FROM | COPY_BLANK;
	l->writing = true;
	r = copy_message(&c, sink_put, &s);
	if (r < 0)
		err_errno(&l->err, errno, "error reading message");
	if (r == 0)
		l->writing = false;
	return r ? -1 : 0;
}
