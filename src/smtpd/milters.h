/* Milters of a session (smtpd_milters, smtpd_milter_maps): each event is told when its command has
 * passed our own restrictions. Functions that return bool: true to go on; false when the answer is
 * no: s->verdict has the whole reply, and the refusal is logged. All may wait, as long as the
 * milters' time limits say. */
#ifndef POSTERN_SMTPD_MILTERS_H
#define POSTERN_SMTPD_MILTERS_H

#include "smtpd/session.h"

void milters_setup(void);

/* A client comes (anew, after XCLIENT). A refusal is what to greet with; the session goes on after
 * it unless the code is 421, and MAIL will be refused: s->milters_refuse. */
bool milters_connect(struct session *s);
void milters_end(struct session *s);
/* HELO and EHLO are answered as usual unless this is false (421): a refusal comes at MAIL. */
bool milters_helo(struct session *s);
/* args: what stands behind the verb, as the client sent it. */
bool milters_mail(struct session *s, str args);
bool milters_rcpt(struct session *s, str args);
/* s->verdict is our own refusal of this recipient. */
void milters_rcpt_refused(struct session *s, str args);
bool milters_data(struct session *s);
bool milters_unknown(struct session *s, str verb);
/* The transaction is over. */
void milters_abort(struct session *s);

/* The milters go to cleanup with the end of a message, when there are any that want to see it;
 * after cleanup_commit() they come back. */
struct milters_away;
struct milters_away *milters_hand_over(struct session *s, struct cleanup *c);
void milters_take_back(struct session *s, struct milters_away *away);

#endif
