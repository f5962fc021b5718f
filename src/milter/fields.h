/* The header of a message as a list of fields that milters see and change. Private to src/milter.
 */
#ifndef POSTERN_MILTER_FIELDS_H
#define POSTERN_MILTER_FIELDS_H

#include "base/arena.h"
#include "base/buf.h"

struct milter_field {
	str text;    /* "Name: value", lines separated by LF, no end, not dot-stuffed */
	bool hidden; /* our own Received: milters do not see it, but it takes a position */
};
struct milter_fields {
	struct milter_field *v; /* malloc'ed; texts are in somebody's arena */
	size_t n, cap;
};

/* Takes a header in wire form apart; texts go to a. Returns whether the empty line was there. */
bool milter_fields_parse(struct milter_fields *f, struct arena *a, str wire);
/* Appends the fields in wire form. */
void milter_fields_put(const struct milter_fields *f, struct buf *out);
void milter_fields_free(struct milter_fields *f);

/* Name, and all that follows the colon. False when text is no header field. */
bool milter_field_split(str text, str *name, str *value);
/* What a milter wants a field to be, as text in a. Lines of the value are separated by LF or CRLF;
 * a line that does not begin with white space gets some, an empty one is left out. leading: the
 * value brings its own space. {NULL, 0} when the name cannot be one (RFC 5322 3.6.8). */
str milter_field_text(struct arena *a, str name, str value, bool leading);

/* Positions count all fields from 0; one beyond the end is the end. */
void milter_fields_insert(struct milter_fields *f, size_t at, str text);
void milter_fields_remove(struct milter_fields *f, size_t at);
/* The nth visible field of that name (ASCII case ignored), from 1; 0 counts as 1. -1: none. */
ptrdiff_t milter_fields_find(const struct milter_fields *f, str name, uint32_t nth);

#endif
