#include "smtpd/nonsmtp.h"

#include "param/param.h"
#include "table/matchlist.h"

static struct matchlist *forbidden;

void nonsmtp_setup(void)
{
	forbidden =
	    matchlist_open("smtpd_forbidden_commands", conf.smtpd_forbidden_commands, MATCH_STRING);
}

/* A word and a colon: "User-Agent: x". */
static bool is_header(str line)
{
	size_t i = 0;

	while (i < line.n && line.p[i] > ' ' && line.p[i] < 127 && line.p[i] != ':')
		i++;
	return i > 0 && i < line.n && line.p[i] == ':';
}

bool nonsmtp_command(str verb, str line)
{
	struct err err;

	if (matchlist_empty(forbidden))
		return false;
	return is_header(str_trim(line)) || matchlist_name(forbidden, verb, &err) == TABLE_FOUND;
}
