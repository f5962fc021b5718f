/* user= of master.cf: who may run commands. */
#include "service/account.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"
#include <grp.h>
#include <pwd.h>

static struct account a;
static struct err err;

static int parse(const char *text)
{
	free(a.user);
	return account_parse(&a, str_of(text), &err);
}

static void refused(const char *text, const char *why)
{
	is_int(parse(text), -1, text[0] ? text : "nothing");
	is_cstr(err.text, why, "the reason");
}

int main(void)
{
	struct passwd daemon;

	tmpconf("mail_owner = bin\nsetgid_group = tty\n");
	daemon = *getpwnam("daemon");
	is_int(parse("daemon"), 0, "a user");
	ok(a.uid == daemon.pw_uid && a.gid == daemon.pw_gid, "with the group of the account");
	is_cstr(a.user, "daemon", "its name");
	is_int(parse("daemon:mail"), 0, "user and group");
	ok(a.gid == getgrnam("mail")->gr_gid, "the group that was named");
	is_int(parse("daemon:"), 0, "an empty group");
	ok(a.gid == daemon.pw_gid, "is the account's");
	refused("", "unknown user name: ");
	refused("no-such-user", "unknown user name: no-such-user");
	refused("1", "unknown user name: 1");
	refused("daemon:no-such-group", "unknown group name: no-such-group");
	refused("root", "user root: commands do not run as root");
	refused("daemon:root", "user daemon: commands do not run with root's group");
	if (geteuid() == 0) {
		refused("bin", "user bin: commands do not run as mail_owner");
		refused(
		    "daemon:bin", "user daemon: commands do not run with the group of mail_owner");
		refused("daemon:tty", "user daemon: commands do not run with setgid_group");
	}
	is_int(parse("nobody"), 0, "nobody");
	ok(account_possible(&a) == (geteuid() == 0), "only root starts commands for others");
	free(a.user);
	return done();
}
