/* smtpd_reject_footer and smtpd_reject_footer_maps: more lines behind 4xx and 5xx replies. */
#ifndef POSTERN_SMTPD_FOOTER_H
#define POSTERN_SMTPD_FOOTER_H

#include "smtpd/session.h"

void footer_setup(void);
/* Appends the footer that fits the reply ("550 5.1.1 ..."), expanded, for reply_put_footer();
 * nothing when there is none. May wait (tables). */
void footer_get(struct session *s, str reply, struct buf *footer);

#endif
