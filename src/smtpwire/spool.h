/* Content that waits for its destination: in memory, and in a file once it is large. The file has
 * no name (or has lost it), so that nobody else opens it and nothing is left of it after a crash.
 */
#ifndef POSTERN_SMTPWIRE_SPOOL_H
#define POSTERN_SMTPWIRE_SPOOL_H

#include "base/buf.h"
#include "base/err.h"

#define SPOOL_MEMORY	 (256 * 1024)	    /* of one message */
#define SPOOL_MEMORY_ALL (64 * 1024 * 1024) /* of all of this process */

struct spool;
/* directory: of the file; a literal, or it outlives the spool. */
struct spool *spool_new(const char *directory);
void spool_free(struct spool *s); /* NULL is allowed */
/* Appends. A failure is kept, and what comes after it is dropped. May wait. */
void spool_put(struct spool *s, str piece);
/* 0 when all of it is there, or -1 and err. Nothing may be appended after this. May wait. */
int spool_end(struct spool *s, struct err *err);
uint64_t spool_size(const struct spool *s);
/* Where it is, after spool_end(): the descriptor of the file, which stays the spool's; or -1, and
 * *memory has it. */
int spool_place(const struct spool *s, str *memory);
/* Gives it piece by piece; -1 from give ends it. 0, or -1 (err is set when reading failed). Each
 * piece lives during the call. May wait. */
int spool_read(struct spool *s, int (*give)(void *arg, str piece), void *arg, struct err *err);

#endif
