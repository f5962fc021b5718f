/* What was said in a session, kept for the postmaster: when something of a class that
 * notify_classes names went wrong, error_notice_recipient (bounce_notice_recipient for class
 * bounce) gets the session in a notice at its end. Once a message was taken, what was before is
 * forgiven. Nothing is kept where no such class is wanted. */
#ifndef POSTERN_SMTPD_TRANSCRIPT_H
#define POSTERN_SMTPD_TRANSCRIPT_H

#include "smtpd/session.h"

/* Reads notify_classes; log_fatal when it makes no sense. */
void transcript_setup(void);
/* A line of the client. */
void transcript_in(struct session *s, str line);
/* A reply as it goes out, its code and enhanced code. */
void transcript_out(struct session *s, str wire, int code, str dsn);
/* The session ends before its QUIT. reason: a literal. */
void transcript_abort(struct session *s, const char *reason);
/* Ends the record, and sends the notice that is due. May wait. */
void transcript_end(struct session *s);

#endif
