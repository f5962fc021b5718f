/* Values of milters' macros in a session of the SMTP server. */
#ifndef POSTERN_SMTPD_MACROS_H
#define POSTERN_SMTPD_MACROS_H

#include "smtpd/session.h"

/* A milter_macro (milter/milter.h); ctx is the session. May wait (routes). */
str macro_value(void *ctx, str name);

#endif
