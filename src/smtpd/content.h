/* The content of a message on its way from the client to its destination: DATA and BDAT. */
#ifndef POSTERN_SMTPD_CONTENT_H
#define POSTERN_SMTPD_CONTENT_H

#include "smtpd/session.h"

/* Chooses where the message goes (destination.h) and opens the way. False: a reply was made. May
 * wait. */
bool content_begin(struct session *s);
/* Content in wire form. May wait. */
void content_put(struct session *s, str wire);
/* The same without a copy: append wire form to what the first returns, count it, and call the
 * second. May wait. */
struct buf *content_room(struct session *s);
void content_added(struct session *s);
/* Ends the message and answers the client with the destination's verdict; resets the transaction.
 * May wait. */
void content_end(struct session *s);
void content_abort(struct session *s);
/* Notes that the content breaks a limit or rule: it is still read to its end, then refused with
 * this reply. */
void content_refuse(struct session *s, const char *reply);
const char *content_refusal(const struct session *s); /* NULL: none */
/* A bare <LF> was (or was not) in the content: reject or note it by smtpd_forbid_bare_newline. */
void content_newlines(struct session *s, bool bare_lf);
/* BDAT: turns raw octets into wire form, appended to out, and counts them. */
void content_unstuffed(struct session *s, str raw, struct buf *out);
void content_unstuffed_end(struct session *s, struct buf *out);
/* Bytes of content the client has sent so far, for "lost connection after DATA (n bytes)". */
uint64_t content_bytes(const struct session *s);
void content_count(struct session *s, uint64_t received, uint64_t size);

#endif
