/* A complete message as milters see and change it: shown to one after the other at the end of data,
 * each seeing what those before it changed. cleanup uses it before it commits; smtpd before it
 * speaks to a proxy filter. */
#ifndef POSTERN_MILTER_MESSAGE_H
#define POSTERN_MILTER_MESSAGE_H

#include "milter/milter.h"

/* What changes the envelope goes to the owner when the milter has given its verdict: all that it
 * asked for, or nothing when it failed. So what makes no sense has been the milter's failure before
 * (milter_address_check()), and what is only odd is ignored with a warning. address is as the
 * milter wrote it, mostly in <>; args are ESMTP parameters, "" none. May wait. */
struct milter_envelope_ops {
	void (*change_from)(void *ctx, str address, str args);
	void (*add_rcpt)(void *ctx, str address, str args);
	void (*del_rcpt)(void *ctx, str address);
	/* A field that is added, inserted or changed, for milter_header_checks: false drops the
	 * change; *text may be replaced. NULL: no checks. text is "Name: value", lines ended by LF.
	 */
	bool (*check_field)(void *ctx, str *text);
};

/* The content: header fields as a list, body in memory or in a file. */
struct milter_message;
/* Takes a header in wire form (up to and with the empty line, if there is one; copied) and a body
 * in wire form: in memory (not copied), or length bytes of file from offset when file >= 0. hidden:
 * which field is our own Received, which milters are not shown: 0 the first (PREPENDed fields stand
 * above it), MILTER_NO_FIELD when there is none. Insert positions count it nevertheless. */
#define MILTER_NO_FIELD SIZE_MAX
struct milter_message *milter_message_new(
    str header, size_t hidden, str body, int file, uint64_t offset, uint64_t length);
void milter_message_free(struct milter_message *m);
bool milter_message_changed(const struct milter_message *m);
/* The present content, in order, in wire form: the header in one piece, then the body in any number
 * of pieces; put may wait; -1 ends it. -1: put said so, or the body cannot be read (err). */
int milter_message_write(
    struct milter_message *m, int (*put)(void *ctx, str wire), void *ctx, struct err *err);

/* Header, end of header, body and end of message, for every milter in turn, and what they change.
 * The macro callback of the chain is asked afresh for each stage. May wait. */
struct milter_answer milter_message_run(struct milter_chain *c, struct milter_message *m,
    const struct milter_envelope_ops *ops, void *ctx);

#endif
