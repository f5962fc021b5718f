/* RFC 3461 and 3463: enhanced status codes, NOTIFY, RET, ORCPT, xtext. */
#ifndef POSTERN_MAIL_DSN_H
#define POSTERN_MAIL_DSN_H

#include "base/buf.h"

enum dsn_ret { DSN_RET_NONE = 0, DSN_RET_FULL = 1, DSN_RET_HDRS = 2 };
enum { /* NOTIFY */
	DSN_NOTIFY_NEVER = 1 << 0,
	DSN_NOTIFY_SUCCESS = 1 << 1,
	DSN_NOTIFY_FAILURE = 1 << 2,
	DSN_NOTIFY_DELAY = 1 << 3,
};
enum { /* ENV_SENDER flags */
	SENDER_BODY_8BITMIME = 1 << 0,
	SENDER_BODY_7BIT = 1 << 1,
	/* Asked for by the client, or found to be needed (CLEANUP_FLAG_AUTOUTF8): a next hop that
	 * has SMTPUTF8 is asked for it. */
	SENDER_SMTPUTF8 = 1 << 2,
	/* Some header field is not ASCII: with SENDER_SMTPUTF8, a next hop must have it. */
	SENDER_SMTPUTF8_HEADER = 1 << 3,
	SENDER_VERP = 1 << 5,
};
/* The code at the start of text ("5.1.1 no such user"): its length, or 0 when there is none (RFC
 * 3463 2). */
size_t dsn_valid(str text);
bool dsn_parse_notify(str value, uint32_t *notify); /* "SUCCESS,FAILURE" or "NEVER" */
void dsn_print_notify(struct buf *out, uint32_t notify);
bool xtext_decode(struct buf *out, str xtext); /* RFC 3461 4; false when malformed */
void xtext_encode(struct buf *out, str text);
/* "addr-type;xtext" as an ORCPT parameter value: syntax check. */
bool orcpt_valid(str value);

#endif
