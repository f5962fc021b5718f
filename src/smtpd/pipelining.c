#include "smtpd/pipelining.h"

#include "log/event.h"
#include "param/param.h"
#include "smtpd/standalone.h"
#include "table/matchlist.h"

static struct matchlist *newline_exclusions;
static bool newline_policy;

void pipelining_module_setup(void)
{
	newline_policy = strcasecmp(conf.smtpd_forbid_bare_newline, "no") != 0;
	newline_exclusions = matchlist_open("smtpd_forbid_bare_newline_exclusions",
	    conf.smtpd_forbid_bare_newline_exclusions, MATCH_HOST);
}

void pipelining_setup(struct session *s)
{
	struct err err;

	s->unauth_pipelining = conf.smtpd_forbid_unauth_pipelining;
	s->bare_newline_policy =
	    newline_policy && matchlist_host(newline_exclusions, str_of(s->client.name),
				  str_of(s->client.addr), &err) != TABLE_FOUND;
}

bool pipelining_check(struct session *s, const char *verb, bool must_be_last)
{
	str ahead;

	bool esmtp = strcmp(s->protocol, "ESMTP") == 0;

	if (standalone() || s->illegal_pipelining || (esmtp && !must_be_last) ||
	    !stream_input_ready(s->io))
		return true;
	/* Read, so that closing does not reset the connection before the client sees why. */
	if (stream_peek(s->io, 1, &ahead, deadline_in(1000)) != WAIT_OK || ahead.n == 0)
		return true;
	log_smtpd_pipelining(verb, s->client.namaddr, str_head(ahead, 100));
	s->illegal_pipelining = true;
	if (!s->unauth_pipelining)
		return true;
	session_reply(s, "554 5.5.0 Error: SMTP protocol synchronization");
	s->ending = true;
	return false;
}
