/* Access control: which restriction lists are evaluated at which stage.
 *
 * Lists are parsed at start (rules.c) from rows of restrict.tbl; check_*.c has the restrictions.
 * Every function here returns true to go on; false when the answer is no: s->verdict then has the
 * whole reply
 * ("554 5.7.1 <x@y>: Relay access denied"), and the refusal is logged. All may wait. */
#ifndef POSTERN_SMTPD_RESTRICT_H
#define POSTERN_SMTPD_RESTRICT_H

#include "smtpd/session.h"

/* Opens the tables and parses the lists; fatal when relaying would be open to everybody. */
void restrict_setup(void);

bool restrict_connect(struct session *s);
bool restrict_helo(struct session *s);
bool restrict_mail(struct session *s);
bool restrict_rcpt(struct session *s); /* of s->tx.rcpt */
bool restrict_vrfy(struct session *s, str address);
bool restrict_etrn(struct session *s, str site);
bool restrict_data(struct session *s);
bool restrict_end_of_data(struct session *s);
/* There are rules for the end of data. */
bool restrict_asks_at_end(void);

/* local_header_rewrite_clients: header addresses of this client's mail are completed as local ones.
 */
bool restrict_local_client(struct session *s);
/* CLEANUP_FLAG_* bits that receive_override_options switches off. */
uint32_t restrict_override_mask(void);

/* The log line of a decision: "ID: verb: STAGE from client: text; from=<> to=<> proto= helo=<>". */
void restrict_log(struct session *s, const char *verb, const char *text);

#endif
