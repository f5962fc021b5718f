/* HELO (RFC 5321 4.1.1.1): "HELO" SP domain */
#include "smtpd/ehlo.h"
#include "smtpd/session.h"

#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/restrict.h"

#include <stdlib.h>

/* The name goes into headers and log lines: one word of it, no longer than a name can be, without
 * what means something there. */
static void take_name(struct session *s, str args)
{
	char name[256];
	size_t n = 0;

	for (; n < args.n && n < sizeof(name) - 1 && args.p[n] != ' ' && args.p[n] != '\t'; n++) {
		unsigned char c = (unsigned char)args.p[n];
		name[n] = c > ' ' && c != 127 && !strchr("<>()\\\";@", c) ? (char)c : '?';
	}
	session_set_helo(s, str_mem(name, n));
}

bool helo_accept(struct session *s, const char *verb, str args)
{
	char *old;

	args = str_trim(args);
	if (args.n == 0) {
		session_reply(s, "501 Syntax: %s hostname", verb);
		return false;
	}
	transaction_reset(s);
	old = s->helo;
	s->helo = NULL;
	take_name(s, args);
	if (!restrict_helo(s)) {
		session_reply_text(s, buf_view(&s->verdict));
		free(s->helo);
		s->helo = old;
		return false;
	}
	free(old);
	if (milters_helo(s, args))
		return true;
	session_reply_text(s, buf_view(&s->verdict));
	return false;
}

void cmd_helo(struct session *s, str args)
{
	if (helo_accept(s, "HELO", args))
		session_reply(s, "250 %s", conf.myhostname);
}
