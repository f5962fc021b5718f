/* Clients that send ahead where RFC 2920 forbids it, and bare line feeds: per-client policy. */
#ifndef POSTERN_SMTPD_PIPELINING_H
#define POSTERN_SMTPD_PIPELINING_H

#include "smtpd/session.h"

void pipelining_module_setup(void);
/* Finds out what applies to this client. May wait (tables). */
void pipelining_setup(struct session *s);
/* Looks for input behind a command that must be the last of its group, or behind any command of a
 * client that never said EHLO. Logs it; false when the session ends for it (the reply was made). */
bool pipelining_check(struct session *s, const char *verb, bool must_be_last);

#endif
