#include "mail/submit.h"

#include "log/log.h"
#include "param/param.h"
#include "table/matchlist.h"

#include <pwd.h>
#include <sysexits.h>
#include <unistd.h>

const char *submit_user(void)
{
	struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "unknown";
}

void submit_check_user(void)
{
	struct matchlist *users =
	    matchlist_open("authorized_submit_users", conf.authorized_submit_users, MATCH_STRING);
	const char *name = submit_user();
	struct err err;

	if (matchlist_name(users, str_of(name), &err) != TABLE_FOUND)
		log_fatal_status(
		    EX_NOPERM, "User %s(%ld) is not allowed to submit mail", name, (long)getuid());
}
