/* One milter and the content of a message: what milter_message_run() is made of. After
 * milter_data() the milters of the chain are shown the message one after the other:
 *
 *     for (i = 0; i < milter_chain_size(c); i++)
 *         if ((m = milter_chain_message(c, i, &a)))
 *             milter_header(m, name, value, &a) for every field, milter_eoh(), milter_body() for
 * pieces, milter_eom(), then milter_eom_reply() until it gives MILTER_END
 *
 * A function that gives MILTER_END has set *answer: with CONTINUE the milter is done with this
 * message (it has accepted it, or is lost and its default action lets mail pass) and the next
 * milter's turn comes; anything else is the chain's answer, and nobody is asked any more. What a
 * milter wanted changed must be undone when it is lost before it came to an end (milter_lost()).
 * All may wait, as long as the milter's content time limit says. */
#ifndef POSTERN_MILTER_EVENT_H
#define POSTERN_MILTER_EVENT_H

#include "milter/milter.h"
#include "milter/wire.h"

enum milter_go {
	MILTER_GO,     /* go on */
	MILTER_ENOUGH, /* the milter wants no more events of this kind (header fields; body pieces)
			*/
	MILTER_END,    /* see above */
};

size_t milter_chain_size(const struct milter_chain *c);
/* The i-th milter, when it is to be shown this message; else NULL (it has accepted message or
 * session), and *a says what that means: CONTINUE, or (a milter that failed) a refusal. */
struct milter *milter_chain_message(struct milter_chain *c, size_t i, struct milter_answer *a);
const char *milter_name(const struct milter *m);
bool milter_lost(const struct milter *m);
/* Whether quarantine was asked for, by a milter or as a default action, for the present message. */
bool milter_chain_hold(const struct milter_chain *c, str *reason);

/* A header field: value is all that follows the colon, lines separated by LF, without the last line
 * end. The one leading space is taken away here for milters that do not want to see it. */
enum milter_go milter_header(struct milter *m, str name, str value, struct milter_answer *a);
/* Whether values that this milter gives for header fields bring their own leading space. */
bool milter_leading_space(const struct milter *m);
enum milter_go milter_eoh(struct milter *m, struct milter_answer *a);
/* Any number of bytes of the body, CRLF line ends, not dot-stuffed; sent in packets of at most
 * 65535. */
enum milter_go milter_body(struct milter *m, str piece, struct milter_answer *a);
/* Asks for the verdict. */
enum milter_go milter_eom(struct milter *m, struct milter_answer *a);
/* Its next reply: MILTER_GO with a change in *r (header, envelope, body: kinds from
 * MILTER_IS_ADD_HEADER on; slices are valid until the next call), or MILTER_END. Progress and
 * quarantine are dealt with inside. What a milter did not say that it might do at negotiation is
 * done all the same: some forget. */
enum milter_go milter_eom_reply(struct milter *m, struct milter_reply *r, struct milter_answer *a);
/* A change makes no sense (index, address ...): the milter fails. Gives MILTER_END. */
enum milter_go milter_bad_change(struct milter *m, const struct err *err, struct milter_answer *a);

#endif
