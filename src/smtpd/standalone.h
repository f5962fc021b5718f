/* "sendmail -bs": one session on standard input (smtpd(8), stand-alone mode). */
#ifndef POSTERN_SMTPD_STANDALONE_H
#define POSTERN_SMTPD_STANDALONE_H

#include <stdbool.h>

/* Stand-alone and not run by mail_owner: mail goes to the maildrop (postdrop), nobody is refused.
 */
bool standalone_drops(void);
/* Stand-alone, whoever runs it. */
bool standalone(void);

#endif
