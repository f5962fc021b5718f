/* What HELO and EHLO share. */
#ifndef POSTERN_SMTPD_EHLO_H
#define POSTERN_SMTPD_EHLO_H

#include "smtpd/session.h"

void ehlo_setup(void);
void etrn_setup(void);
/* Takes the client's name, judged by the HELO restrictions; false when a refusal was sent. May
 * wait. */
bool helo_accept(struct session *s, const char *verb, str args);
/* EHLO keywords hidden from this client (smtpd_discard_ehlo_keywords and its address maps); -1 when
 * the table failed. May wait. */
int ehlo_discard(struct session *s, uint32_t *discard);

#endif
