/* RSET (RFC 5321 4.1.1.5) */
#include "smtpd/session.h"

void cmd_rset(struct session *s, str args)
{
	if (args.n > 0) {
		session_reply(s, "501 5.5.4 Syntax: RSET");
		return;
	}
	transaction_reset(s);
	forwarded_reset(s);
	session_reply(s, "250 2.0.0 Ok");
}
