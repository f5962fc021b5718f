/* The body of a message: borrowed, or put together from what a milter sends. Private to
 * src/milter. */
#ifndef POSTERN_MILTER_BODY_H
#define POSTERN_MILTER_BODY_H

#include "base/buf.h"
#include "base/err.h"
#include "smtpwire/spool.h"
#include "smtpwire/wire.h"

struct milter_body {
	str memory;	 /* all of it in wire form, when file < 0 */
	int file;	 /* or here */
	uint64_t offset; /* in the file */
	uint64_t length;
	/* of one that is being put together */
	struct spool *spool; /* NULL: borrowed */
	struct wire_stuff stuff;
	struct buf piece;
	uint64_t limit;
};

/* A new, empty one, which may grow to limit bytes (0: any number). */
struct milter_body *milter_body_new(uint64_t limit);
/* Adds a piece: lines ended by CRLF or LF, not stuffed. Small bodies are kept in memory, others go
 * to a nameless file in the queue directory. -1 and err (EFBIG: too large). May wait. */
int milter_body_add(struct milter_body *b, str piece, struct err *err);
/* Complete: memory or file, and length, are set. -1 and err. May wait. */
int milter_body_done(struct milter_body *b, struct err *err);
void milter_body_free(struct milter_body *b); /* NULL is allowed */

/* Gives all of it, in wire form, piece by piece (of at most 64 KB out of a file); fn returns false
 * to stop. 0; 1: stopped; -1 and err: cannot be read. May wait. */
int milter_body_each(
    const struct milter_body *b, bool (*fn)(void *ctx, str wire), void *ctx, struct err *err);

#endif
