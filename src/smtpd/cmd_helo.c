/* HELO (RFC 5321 4.1.1.1): "HELO" SP domain */
#include "smtpd/ehlo.h"
#include "smtpd/session.h"

#include "param/param.h"
#include "smtpd/milters.h"
#include "smtpd/restrict.h"

#include <stdlib.h>

/* All the words, no longer than a name can be. */
static void take_name(struct session *s, str args)
{
	struct buf name = {0};
	str word;

	while (str_word(&args, " \t", &word)) {
		if (name.n)
			buf_char(&name, ' ');
		buf_str(&name, word);
	}
	session_set_helo(s, str_head(buf_view(&name), 255));
	buf_free(&name);
}

/* The name goes into headers and log lines, without what means something there. Rules that strike
 * at once have seen it as it came. */
static void disarm(char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c <= ' ' || c == 127 || strchr("<>()\\\";@", c))
			*name = '?';
	}
}

bool helo_accept(struct session *s, const char *verb, str args)
{
	char *old, *said;
	bool good;

	args = str_trim(args);
	if (args.n == 0) {
		session_reply(s, "501 Syntax: %s hostname", verb);
		return false;
	}
	transaction_reset(s);
	forwarded_reset(s);
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
	said = mem_strdup(s->helo);
	disarm(s->helo);
	good = milters_helo(s, str_of(said));
	free(said);
	if (!good)
		session_reply_text(s, buf_view(&s->verdict));
	return good;
}

void cmd_helo(struct session *s, str args)
{
	if (helo_accept(s, "HELO", args))
		session_reply(s, "250 %s", conf.myhostname);
}
