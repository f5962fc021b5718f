/* Milters and a message that goes to the before-queue filter: they see it in smtpd, and the filter
 * gets what they made of it. */
#ifndef POSTERN_SMTPD_PROXY_JUDGE_H
#define POSTERN_SMTPD_PROXY_JUDGE_H

#include "milter/message.h"
#include "smtpd/session.h"
#include "smtpwire/spool.h"

/* Shows them the collected message with the transaction's envelope, which they may change: the
 * conversation with the filter then begins anew. *content is the message with its head as they left
 * it, for milter_message_free() (it refers to the spool); NULL when it is as it was. False: it is
 * refused, with the reply in s->verdict. May wait. */
bool proxy_judge(struct session *s, struct spool *spool, struct milter_message **content);

#endif
