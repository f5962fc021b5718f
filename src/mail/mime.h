/* The MIME structure of a message, found while its content (wire form) passes in blocks of any
 * size.
 *
 * The primary header is always given field by field. The body comes as blocks of wire form, cut
 * anywhere (the fast path; a message that is not multipart is not even looked at), or, when
 * MIME_LINES is asked for, line by line. Fields of MIME parts and attached messages come like the
 * primary ones when MIME_FIELDS or MIME_LINES is asked for; otherwise they pass inside the blocks.
 * Whoever writes the message again gets everything exactly once, in order: fields, header_end, body
 * pieces. Callbacks may wait. */
#ifndef POSTERN_MAIL_MIME_H
#define POSTERN_MAIL_MIME_H

#include "mail/header.h"

enum mime_class {	  /* whose header a field is in, and what checks look at it */
	MIME_PRIMARY = 1, /* the message's own, not H_MIME: header_checks */
	MIME_PART,   /* H_MIME anywhere, and all fields of a part's header: mime_header_checks */
	MIME_NESTED, /* of an attached message: nested_header_checks */
};
enum {			      /* flags of mime_new */
	MIME_LINES = 1 << 0,  /* body_line instead of body */
	MIME_FIELDS = 1 << 1, /* fields of parts are wanted */
	MIME_OFF = 1 << 2,    /* disable_mime_input_processing: structure is not looked at */
	MIME_STRICT_7BIT_HEADERS = 1 << 3,
	MIME_STRICT_8BIT_BODY = 1 << 4, /* strict_8bitmime_body */
	MIME_STRICT_ENCODING = 1 << 5,	/* strict_mime_encoding_domain */
};
enum mime_error { /* bits: more than one can be found */
	MIME_E_NESTING = 1 << 0,
	MIME_E_8BIT_IN_HEADER = 1 << 1,
	MIME_E_8BIT_IN_7BIT_BODY = 1 << 2,
	MIME_E_ENCODING_DOMAIN = 1 << 3,
	MIME_E_TRUNCATED_HEADER = 1 << 4, /* for information: never refused by itself */
};
enum { LINE_FIRST = 1, LINE_LAST = 2 }; /* pieces of a line: both bits for a whole one */

struct mime_ops {
	/* A field; text as in header.h; level 0 is the message's own header. Only level 0,
	 * MIME_FIELDS, MIME_LINES. */
	void (*field)(void *ctx, enum mime_class class, const struct header_row *row, str text);
	/* The primary header has ended. line is empty for the separating empty line (which is not
	 * repeated as body; write it yourself) or at the end of a message without body (at_end),
	 * else the text of the line that is no header field and begins the body (it follows as body
	 * too). */
	void (*header_end)(void *ctx, str line, bool at_end);
	void (*body)(void *ctx, str wire); /* without MIME_LINES */
	void (*body_line)(
	    void *ctx, str piece, unsigned which); /* with MIME_LINES: unstuffed, without end; long
						      lines in pieces of line_length_limit */
	/* The header of a part or of an attached message has ended; what separates it from its body
	 * follows as body. Only MIME_FIELDS, MIME_LINES. May be NULL. */
	void (*part_header_end)(void *ctx);
	/* A boundary: its line follows as body. May be NULL. */
	void (*boundary)(void *ctx);
	/* First time each error is found; where: the offending field or start of the line. May be
	 * NULL. */
	void (*error)(void *ctx, enum mime_error e, str where);
};
struct mime_limits {
	size_t header_size; /* header_size_limit: what a field has beyond it is dropped */
	size_t line;	    /* line_length_limit */
	size_t boundary;    /* mime_boundary_length_limit */
	size_t nesting;	    /* multiparts in one another of which the parts are seen */
};
/* As main.cf has them. */
struct mime_limits mime_limits(void);
struct mime;
/* limits are copied. Never NULL. */
struct mime *mime_new(
    unsigned flags, const struct mime_limits *limits, const struct mime_ops *ops, void *ctx);
void mime_feed(struct mime *m, str wire);
/* The content is complete. When it had no header end, header_end is called. */
void mime_end(struct mime *m);
void mime_free(struct mime *m);
bool mime_in_header(const struct mime *m); /* the primary header is not complete yet */

unsigned mime_errors(const struct mime *m); /* MIME_E_* bits found so far */
/* The primary header or a part announced Content-Transfer-Encoding 8bit or binary
 * (detect_8bit_encoding_header). */
bool mime_declared_8bit(const struct mime *m);

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_BASE64, MIME_QP, MIME_ENCODING_OTHER };
/* Content-Transfer-Encoding of the header that ended last; composite: it is multipart or a message
 * that is looked into. */
enum mime_encoding mime_header_encoding(const struct mime *m, bool *composite);
/* Encoding of the body line that is being given: MIME_7BIT outside of leaf parts and for
 * boundaries. */
enum mime_encoding mime_line_encoding(const struct mime *m);
enum mime_encoding mime_parse_encoding(str value); /* of a Content-Transfer-Encoding field */

const char *mime_error_dsn(enum mime_error e);	/* "5.6.0" */
const char *mime_error_text(enum mime_error e); /* "improper use of 8-bit data in message header" */

/* Appends a piece of a line in wire form: stuffed if it is a LINE_FIRST, CRLF if it is a LINE_LAST.
 */
void mime_put_piece(struct buf *out, str piece, unsigned which);

/* --- 8bit to 7bit for a next hop without 8BITMIME (RFC 6152 3): bodies that are 8bit or binary
 * become quoted-printable, and their headers say so. Wire form in, wire form out. */
struct mime_down;
struct mime_down *mime_down_new(const struct mime_limits *limits);
/* Appends to out what is ready. */
void mime_down_feed(struct mime_down *d, str wire, struct buf *out);
void mime_down_end(struct mime_down *d, struct buf *out);
void mime_down_free(struct mime_down *d);

#endif
