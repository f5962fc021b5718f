/* milter_header_checks on what milters do to a message that goes to the before-queue filter. */
#ifndef POSTERN_SMTPD_PROXY_CHECKS_H
#define POSTERN_SMTPD_PROXY_CHECKS_H

#include "smtpd/session.h"

void proxy_checks_setup(void);
/* A field that a milter wants, "Name: value": false, it is not to be; *text may be replaced.
 * *refusal: the reply that a check wants the client to have, if there is none yet. May wait. */
bool proxy_check_field(struct session *s, str *text, const char **refusal);

#endif
