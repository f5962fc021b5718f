/* The value of a Content-Type field (RFC 2045 5.1), as far as the structure needs it. Private to
 * mime.c. */
#ifndef POSTERN_MAIL_MIMETYPE_H
#define POSTERN_MAIL_MIMETYPE_H

#include "mail/mime.h"

enum mime_kind {
	MIME_LEAF = 0,
	MIME_MULTIPART,
	MIME_MESSAGE, /* rfc822, global: a header follows */
	MIME_PIECE,   /* message/partial, message/external-body: not looked into, but restricted */
};
struct mime_type {
	enum mime_kind kind;
	bool digest; /* multipart/digest: parts are messages unless they say otherwise */
	bool global; /* message/global */
};
/* boundary gets the parameter's value, at most limit bytes; it is empty when there is none. */
struct mime_type mime_parse_type(str value, struct buf *boundary, size_t limit);

#endif
