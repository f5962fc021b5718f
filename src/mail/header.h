/* Header fields by name, and the lines they are made of.
 *
 * A field's text is "Name: value" with "\n" between its folded lines, no end, not dot-stuffed. */
#ifndef POSTERN_MAIL_HEADER_H
#define POSTERN_MAIL_HEADER_H

#include "base/buf.h"

enum header_id {
	HDR_OTHER = 0,
#define HEADER(ID, name, flags) HDR_##ID,
#include "mail/header.tbl"
#undef HEADER
	HDR_COUNT
};
enum {
	H_SENDER = 1 << 0,
	H_RCPT = 1 << 1,
	H_RESENT = 1 << 2,
	H_EXTRACT = 1 << 3,
	H_MIME = 1 << 4,
};
struct header_row {
	enum header_id id;
	const char *name;
	unsigned flags;
};
const struct header_row *header_row(enum header_id id); /* of HDR_OTHER too (name "") */
/* Row of a field name (ASCII case ignored; without colon); the row of HDR_OTHER when unknown. Any
 * Content-* name gets H_MIME. Never NULL. */
const struct header_row *header_find(str name);

/* Length of the field name at the start of a line when the line can begin a header field (RFC
 * 5322 2.2: printable ASCII but colon, then optional white space, then a colon); 0 when it cannot.
 */
size_t header_name_length(str line);
/* Splits a field's text: name, and value behind the colon without leading white space (folding
 * kept). False when it is no header field. */
bool header_split(str text, str *name, str *value);
/* Appends the value with line breaks removed (the white space stays). */
void header_unfold(struct buf *out, str value);
/* Appends a field's text in wire form: CRLF behind each line, dot-stuffed. */
void header_wire(struct buf *out, str text);

/* The list of message_drop_headers: whether it has the name. */
bool header_listed(const char *list, str name);

#endif
