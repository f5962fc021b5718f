/* Commands that no SMTP client sends: smtpd_forbidden_commands, and message headers taken for
 * commands. */
#ifndef POSTERN_SMTPD_NONSMTP_H
#define POSTERN_SMTPD_NONSMTP_H

#include "base/str.h"

void nonsmtp_setup(void);
/* True when the command ends the session. May wait (tables). */
bool nonsmtp_command(str verb, str line);

#endif
