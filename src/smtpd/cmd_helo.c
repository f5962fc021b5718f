/* HELO (RFC 5321 4.1.1.1): "HELO" SP domain */
#include "smtpd/ehlo.h"
#include "smtpd/session.h"

#include "param/param.h"
#include "smtpd/restrict.h"

bool helo_accept(struct session *s, const char *verb, str args)
{
	const char *old = s->helo;
	struct buf name = {0};

	args = str_trim(args);
	if (args.n == 0) {
		session_reply(s, "501 Syntax: %s hostname", verb);
		return false;
	}
	transaction_reset(s);
	/* The name goes into headers and log lines: keep one printable word. */
	for (size_t i = 0; i < args.n && i < 255 && args.p[i] != ' ' && args.p[i] != '\t'; i++)
		buf_char(&name, args.p[i] > ' ' && args.p[i] != 127 && !strchr("<>()\\\";@", args.p[i])
				    ? args.p[i]
				    : '?');
	s->helo = arena_cstr(&s->arena, buf_view(&name));
	s->protocol = "SMTP";
	buf_free(&name);
	if (!restrict_helo(s)) {
		session_reply_text(s, buf_view(&s->verdict));
		s->helo = old;
		return false;
	}
	s->stage = verb;
	return true;
}

void cmd_helo(struct session *s, str args)
{
	if (!helo_accept(s, "HELO", args))
		return;
	s->esmtp = false;
	session_reply(s, "250 %s", conf.myhostname);
}
