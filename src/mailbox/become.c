#include "mailbox/become.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <unistd.h>

static bool is_root;
static uid_t own_uid;
static gid_t own_gid;

void become_setup(void)
{
	is_root = geteuid() == 0;
	own_uid = geteuid();
	own_gid = getegid();
}

bool become_possible(uid_t uid, gid_t gid)
{
	return is_root || (uid == own_uid && gid == own_gid);
}

/* These system calls do not fail, they only do nothing; an impossible argument asks what is. */
static bool set_ids(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

int become_user(uid_t uid, gid_t gid, struct err *err)
{
	if (!become_possible(uid, gid))
		return err_errno(
		    err, EPERM, "cannot act as user %u group %u", (unsigned)uid, (unsigned)gid);
	if (!is_root || set_ids(uid, gid))
		return 0;
	become_self();
	return err_errno(
	    err, EPERM, "cannot act as user %u group %u", (unsigned)uid, (unsigned)gid);
}

void become_self(void)
{
	if (!is_root)
		return;
	setfsuid(own_uid);
	setfsgid(own_gid);
	if ((uid_t)setfsuid((uid_t)-1) != own_uid || (gid_t)setfsgid((gid_t)-1) != own_gid)
		abort();
}
