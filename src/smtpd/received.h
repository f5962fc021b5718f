/* The Received: trace header (RFC 5321 4.4). */
#ifndef POSTERN_SMTPD_RECEIVED_H
#define POSTERN_SMTPD_RECEIVED_H

#include "smtpd/session.h"

/* Appends the header of the present transaction, with CRLF line ends. */
void received_header(struct session *s, struct buf *out);

#endif
