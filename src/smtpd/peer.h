/* Who the client is: addresses of both ends, verified name, and what follows from them. */
#ifndef POSTERN_SMTPD_PEER_H
#define POSTERN_SMTPD_PEER_H

#include "smtpd/session.h"

void peer_setup(void);
/* Fills s->client and the server's address. peer NULL: standard input (sendmail -bs), localhost.
 * here: the server's end as a proxy told it, or NULL. Asks for the client's name by
 * smtpd_peername_lookup; answers are kept for some seconds. May wait. */
void peer_identify(struct session *s, const struct hostaddr *peer, const struct hostaddr *here);
/* Moves the identity into a fresh arena, so that what XCLIENT replaced does not pile up. */
void peer_copy(struct session *s);
/* Finds out anew what depends on the identity: XCLIENT, XFORWARD, newline and pipelining policies.
 * May wait (tables). */
void peer_rights(struct session *s);
/* mynetworks, asked once a session. May wait (tables). */
enum answer peer_in_mynetworks(struct session *s);

#endif
