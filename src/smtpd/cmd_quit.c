/* QUIT (RFC 5321 4.1.1.10) */
#include "smtpd/session.h"

void cmd_quit(struct session *s, str args)
{
	(void)args;
	session_reply(s, "221 2.0.0 Bye");
	s->ending = true;
}
