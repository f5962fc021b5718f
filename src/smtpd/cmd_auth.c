/* AUTH (RFC 4954), for a server that offers none. */
#include "smtpd/session.h"

void cmd_auth(struct session *s, str args)
{
	(void)args;
	session_reply(s, "503 5.5.1 Error: authentication not enabled");
}
