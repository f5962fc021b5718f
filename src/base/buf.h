/* A growable byte buffer. Zero-initialise it ({0}); p[n] is a NUL whenever p is not NULL.
 * Append functions never fail (see mem.h); limits are the caller's. */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/str.h"
#include <stdarg.h>

struct buf {
	char *p;
	size_t n, cap;
};

void buf_free(struct buf *b);		 /* back to {0} */
void buf_clear(struct buf *b);		 /* length 0, memory kept */
void buf_cut(struct buf *b, size_t n);	 /* length n, if it was longer */
void buf_drop(struct buf *b, size_t n);	 /* removes n bytes at the front */
char *buf_room(struct buf *b, size_t n); /* room for n more bytes (plus NUL); where they go */
void buf_added(struct buf *b, size_t n); /* n bytes were written into that room */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, str s);
void buf_cstr(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
/* s as a quoted-string: in quotes, with a backslash in front of quotes and backslashes (RFC 5322
 * 3.2.4). */
void buf_quoted(struct buf *b, str s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_lower(struct buf *b, str s); /* appends s with ASCII letters in lower case */

/* C-style escapes for what is not printable ASCII (\r \n \t \ooo, backslash doubled), as log lines
 * show input: at most max bytes of s, then "...". */
void buf_escape(struct buf *b, str s, size_t max);

const char *buf_text(const struct buf *b); /* the bytes as a C string, "" when empty */
static inline str buf_view(const struct buf *b)
{
	return (str){b->p ? b->p : "", b->n};
}

#endif
