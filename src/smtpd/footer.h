/* smtpd_reject_footer and smtpd_reject_footer_maps: more lines behind 4xx and 5xx replies. */
#ifndef POSTERN_SMTPD_FOOTER_H
#define POSTERN_SMTPD_FOOTER_H

#include "smtpd/session.h"

void footer_setup(void);
/* Adds the footer that fits the reply ("550 5.1.1 ...") behind it, attributes expanded; its lines become
 * further reply lines (a footer that begins with \c joins the last). May wait (tables). */
void footer_add(struct session *s, struct buf *reply);

#endif
