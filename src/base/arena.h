/* An arena: memory that ends together (a session, a transaction, a request). */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include "base/str.h"

struct arena {
	struct arena_block *blocks; /* newest first */
	char *p, *end;		    /* free part of the newest block */
	size_t total;		    /* bytes handed out since the last reset */
};

void *arena_alloc(struct arena *a, size_t n); /* 16-byte aligned, uninitialised */
void *arena_zero(struct arena *a, size_t n);
char *arena_cstr(struct arena *a, str s); /* a NUL-terminated copy */
str arena_str(struct arena *a, str s);	  /* a copy; NUL-terminated behind its end too */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a); /* frees all but one small block */
void arena_free(struct arena *a);  /* back to {0} */

#endif
