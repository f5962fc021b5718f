/* VRFY (RFC 5321 4.1.1.6, RFC 6531 3.7.4.2): judged like a recipient, never confirmed.
 *     "VRFY" SP address [SP "SMTPUTF8"] */
#include "smtpd/session.h"

#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/path.h"
#include "smtpd/restrict.h"
#include "smtpwire/esmtp.h"

/* Cuts the keyword off. */
static bool wants_utf8(struct session *s, str *args)
{
	str word = STR(" SMTPUTF8");

	if (!conf.smtputf8_enable || (s->discard & EHLO_SMTPUTF8) || !str_ends_nocase(*args, word))
		return false;
	*args = str_trim(str_head(*args, args->n - word.n));
	return true;
}

void cmd_vrfy(struct session *s, str args)
{
	struct arena a = {0};
	uint32_t flags = s->tx.env.flags;
	str address;

	if (conf.disable_vrfy_command) {
		session_reply(s, "502 5.5.1 VRFY command is disabled");
		return;
	}
	if (args.n == 0) {
		session_reply(s, "501 5.5.4 Syntax: VRFY address%s",
		    conf.smtputf8_enable ? " [SMTPUTF8]" : "");
		return;
	}
	if (!milters_session(s)) {
		session_reply_text(s, buf_view(&s->verdict));
		return;
	}
	if (wants_utf8(s, &args))
		s->tx.env.flags |= SENDER_SMTPUTF8;
	if (!path_parse_whole(s, &a, args, &address))
		session_reply(s, "501 5.1.3 Bad recipient address syntax");
	else if (!restrict_vrfy(s, address))
		session_reply_text(s, buf_view(&s->verdict));
	else
		session_reply(s, "252 2.0.0 %.*s", STR_FMT(args));
	s->tx.env.flags = flags;
	arena_free(&a);
}
