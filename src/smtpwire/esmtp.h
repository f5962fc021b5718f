/* What both ends of ESMTP share: keywords, parameters, xtext attributes. */
#ifndef POSTERN_SMTPWIRE_ESMTP_H
#define POSTERN_SMTPWIRE_ESMTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/names.h"

enum ehlo_index {
#define KEYWORD(ID, name) EHLO_AT_##ID,
#include "smtpwire/ehlo.tbl"
#undef KEYWORD
	EHLO_COUNT
};
enum { /* EHLO_PIPELINING ...: bits, for capabilities as well as for discarded keywords */
#define KEYWORD(ID, name) EHLO_##ID = 1 << EHLO_AT_##ID,
#include "smtpwire/ehlo.tbl"
#undef KEYWORD
	EHLO_SILENT_DISCARD = 1 << 30, /* "silent-discard" in a discard list */
};
extern const struct name_row ehlo_names[];
const char *ehlo_name(enum ehlo_index at);
/* smtpd_discard_ehlo_keywords and the like: words separated by commas or spaces, case ignored.
 * Unknown words draw err (the known ones are in *mask). 0 or -1. */
int ehlo_mask(str list, uint64_t *mask, struct err *err);
/* "SIZE DSN" for the log line of discarded keywords. Appends. */
void ehlo_print(struct buf *out, uint64_t mask);

/* What a server's EHLO reply says. */
struct ehlo_caps {
	uint64_t mask;
	uint64_t size; /* SIZE value; 0: none given */
	str auth; /* mechanisms, separated by spaces (AUTH and AUTH= lines); points into the reply
		   */
	str xclient, xforward; /* attribute names, separated by spaces */
	str bad_size;	       /* of SIZE, what is no number */
};
/* One line of the reply behind its code, from the second on. Unknown keywords are ignored. */
void ehlo_cap(struct ehlo_caps *caps, str line);

/* Next parameter of MAIL or RCPT (RFC 5321 4.1.2): NAME[=value]; *value is {NULL,0} without "=".
 * *word (may be NULL) is the whole. False at the end. */
bool esmtp_param(str *rest, str *name, str *value, str *word);

/* XCLIENT and XFORWARD attributes. */
#define XCLIENT_ATTRS  "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
#define XFORWARD_ATTRS "NAME ADDR PROTO HELO SOURCE PORT IDENT"
/* One NAME=value word of an XCLIENT or XFORWARD command; appends the decoded value (xtext).
 * *unavailable: [UNAVAILABLE] or [TEMPUNAVAIL], any case. False without "=" or with a bad xtext. */
bool xattr_get(str word, str *name, struct buf *value, bool *unavailable);
/* " NAME=value" with value in xtext; an empty value as [UNAVAILABLE]. Appends. */
void xattr_put(struct buf *out, const char *name, str value);

#endif
