/* Command lines as they come from the client. */
#ifndef POSTERN_SMTPD_INPUT_H
#define POSTERN_SMTPD_INPUT_H

#include "smtpd/session.h"

void input_setup(void);
/* Next command line with its end, at most line_length_limit bytes of it; the rest of a longer one
 * is dropped, with a warning. What was queued for the client is sent before waiting. May wait. */
enum wait input_line(struct session *s, struct buf *line);
/* Judges and transforms the line: bare line feeds, UTF-8, smtpd_command_filter. False: a reply was
 * made. May wait (tables). */
bool input_accept(struct session *s, struct buf *line);
/* smtpd_noop_commands */
bool input_is_noop(str verb);

#endif
