/* Variable envelope return paths (VERP_README): list-owner@host becomes list-owner+user=dom@host.
 */
#ifndef POSTERN_MAIL_VERP_H
#define POSTERN_MAIL_VERP_H

#include "base/buf.h"

/* NULL when delims are two characters of verp_delimiter_filter, else what is wrong. */
const char *verp_delims_error(str delims, const char *filter);
/* Appends the sender for this recipient (all internal form); a sender without domain or a null
 * sender is appended as it is. */
void verp_sender(struct buf *out, str delims, str sender, str rcpt);

#endif
