/* Address lists in header fields (RFC 5322 3.4: mailboxes, groups, comments, routes), as tolerant
 * as mail is: nothing makes it fail; what is no address stays as text. */
#ifndef POSTERN_MAIL_HDRADDR_H
#define POSTERN_MAIL_HDRADDR_H

#include "base/buf.h"

/* Called for each address, in internal form (routes dropped: <@a,@b:user@dom> is user@dom; an empty
 * <> is not shown, nor, where it would be rewritten, "a@b" in quotes without a domain, whose
 * internal form is another address). Returns true when it put a replacement (internal form) into
 * *out. May wait. */
typedef bool (*hdraddr_fn)(void *ctx, str address, struct buf *out);

/* Walks the address list in value (a header field's text behind its colon; lines separated by \n or
 * CRLF). Returns true when some address was replaced, or was told from its standard form by its
 * quotes, and then appends the new value to *out: names, comments and groups kept, addresses quoted
 * as needed and separated by ", ", a line break ("\n" and four spaces) before an address that would
 * pass column 72 (first_column: where value begins). Returns false, *out untouched, otherwise.
 * Tokens beyond token_limit (header_address_token_limit, 0: no limit) are cut off, with the
 * address that they leave half; that alone counts as a replacement. */
bool hdraddr_rewrite(
    str value, size_t first_column, size_t token_limit, hdraddr_fn fn, void *ctx, struct buf *out);

/* Only looks: calls fn for each address (its result is ignored; out is NULL). For sendmail -t. */
void hdraddr_each(str value, size_t token_limit, hdraddr_fn fn, void *ctx);

/* One address typed by a person or a table ("user@dom", "Name <user@dom>", "\"a b\"@dom"): appends
 * the internal form of the first address in text; false when there is none. */
bool hdraddr_one(str text, struct buf *out);

/* Appends a display name for "Name <address>": as it is, or quoted when it has specials. */
void hdraddr_phrase(struct buf *out, str name);
/* The same inside a comment "address (Name)": backslashes before ( ) \. */
void hdraddr_comment(struct buf *out, str name);

#endif
