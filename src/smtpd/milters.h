/* Milters of a session (smtpd_milters, smtpd_milter_maps): each event is told when its command has
 * passed our own restrictions. Functions that return bool: true to go on; false when the answer is
 * no: s->verdict has the whole reply, and the refusal is logged. All may wait, as long as the
 * milters' time limits say. */
#ifndef POSTERN_SMTPD_MILTERS_H
#define POSTERN_SMTPD_MILTERS_H

#include "milter/message.h"
#include "smtpd/session.h"

void milters_setup(void);

/* A client comes (anew, after XCLIENT). A refusal is what to greet with; the session goes on after
 * it unless the code is 421, and MAIL will be refused: s->milters_refuse. */
bool milters_connect(struct session *s);
void milters_end(struct session *s);
/* HELO and EHLO are answered as usual unless this is false (421): a refusal comes at MAIL. name: as
 * the client sent it. */
bool milters_helo(struct session *s, str name);
/* args: what stands behind the verb, as the client sent it. */
bool milters_mail(struct session *s, str args);
bool milters_rcpt(struct session *s, str args);
/* s->verdict is our own refusal of this recipient. */
void milters_rcpt_refused(struct session *s, str args);
bool milters_data(struct session *s);
bool milters_unknown(struct session *s, str verb);
/* For commands that milters are not told: no when they have refused the session, or one has failed
 * and that is its default action. Not logged. Asks nobody. */
bool milters_session(struct session *s);
/* The transaction is over. */
void milters_abort(struct session *s);

/* Somebody wants to see the message as a whole. */
bool milters_want_message(const struct session *s);
/* They see it here: for the before-queue filter. */
bool milters_message(
    struct session *s, struct milter_message *m, const struct milter_envelope_ops *ops, void *ctx);
/* "FROM:<a@b> SIZE=1 BODY=7BIT" as words behind the keyword, at most MILTERS_WORDS of them, never
 * less than one; they point into args. */
#define MILTERS_WORDS 64
size_t milters_split(str args, const char *keyword, str *words);

/* The milters go to cleanup with the end of a message, when there are any that want to see it;
 * after cleanup_commit() they come back. */
struct milters_away;
struct milters_away *milters_hand_over(struct session *s, struct cleanup *c);
void milters_take_back(struct session *s, struct milters_away *away);

#endif
