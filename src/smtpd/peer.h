/* Who the client is: addresses of both ends, verified name. */
#ifndef POSTERN_SMTPD_PEER_H
#define POSTERN_SMTPD_PEER_H

#include "smtpd/session.h"

/* Fills s->client and the server's address. peer NULL: standard input (sendmail -bs), localhost.
 * Asks for the client's name by smtpd_peername_lookup; answers are kept for some seconds. May wait. */
void peer_identify(struct session *s, const struct hostaddr *peer);

#endif
