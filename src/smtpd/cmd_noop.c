/* NOOP (RFC 5321 4.1.1.9); an argument is ignored. */
#include "smtpd/session.h"

void cmd_noop(struct session *s, str args)
{
	(void)args;
	session_reply(s, "250 2.0.0 Ok");
}
