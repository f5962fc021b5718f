/* STARTTLS (RFC 3207), for a server that offers none. */
#include "smtpd/session.h"

#include "smtpd/milters.h"

void cmd_starttls(struct session *s, str args)
{
	if (!milters_session(s))
		session_reply_text(s, buf_view(&s->verdict));
	else if (args.n > 0)
		session_reply(s, "501 5.5.4 Syntax: STARTTLS");
	else
		session_reply(s, "502 5.5.1 Error: command not implemented");
}
