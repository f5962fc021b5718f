/* VRFY (RFC 5321 4.1.1.6): judged like a recipient, never confirmed. */
#include "smtpd/session.h"

#include "param/param.h"
#include "smtpd/path.h"
#include "smtpd/restrict.h"
#include "smtpwire/esmtp.h"

void cmd_vrfy(struct session *s, str args)
{
	struct arena a = {0};
	str address;

	args = str_trim(args);
	if (conf.disable_vrfy_command || (s->discard & EHLO_VRFY)) {
		session_reply(s, "502 5.5.1 VRFY command is disabled");
		return;
	}
	if (args.n == 0) {
		session_reply(s, "501 5.5.4 Syntax: VRFY address");
		return;
	}
	if (!path_parse_whole(s, &a, args, &address)) {
		session_reply(s, "501 5.1.3 Bad recipient address syntax");
	} else if (!restrict_vrfy(s, address)) {
		session_reply_text(s, buf_view(&s->verdict));
	} else {
		session_reply(s, "252 2.0.0 %.*s", STR_FMT(args));
	}
	arena_free(&a);
}
