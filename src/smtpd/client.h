/* Which clients count as our own. */
#ifndef POSTERN_SMTPD_CLIENT_H
#define POSTERN_SMTPD_CLIENT_H

#include "smtpd/session.h"

/* Whether local_header_rewrite_clients names this client. May wait (tables). */
bool client_is_local(struct session *s);

#endif
