/* Addresses of MAIL, RCPT and VRFY. */
#ifndef POSTERN_SMTPD_PATH_H
#define POSTERN_SMTPD_PATH_H

#include "smtpd/session.h"

/* Parses the path at the start of *args ("<user@dom> SIZE=1"), leaving the parameters there.
 * *address gets the internal form, in the arena. False, with the warning logged, when it is
 * malformed. */
bool path_parse(
    struct session *s, struct arena *a, const char *verb, bool empty_ok, str *args, str *address);
/* The same for an argument that is nothing but an address. */
bool path_parse_whole(struct session *s, struct arena *a, str arg, str *address);
/* strict_smtputf8: UTF-8 in an address needs SMTPUTF8. False: it was refused, with a reply. */
bool path_utf8_declared(struct session *s, str address);

#endif
