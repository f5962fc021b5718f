#include "virtual/become.h"
#include "log/log.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_root;
static uid_t own_uid;
static gid_t own_gid;

#define BIT(cap) (1u << (cap))

/* To become others, and to read the queue, which is mail_owner's. */
#define KEPT (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH))

static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof data);
	if (syscall(SYS_capget, &head, data) < 0)
		log_fatal("capget: %s", strerror(errno));
	/* All four are in the first word. What is not there (a container) is not asked for. */
	data[0].permitted &= KEPT;
	data[0].effective &= KEPT;
	data[0].inheritable = 0;
	data[1].permitted = data[1].effective = data[1].inheritable = 0;
	if (syscall(SYS_capset, &head, data) < 0)
		log_fatal("capset: %s", strerror(errno));
}

void become_setup(void)
{
	is_root = geteuid() == 0;
	own_uid = geteuid();
	own_gid = getegid();
	if (!is_root)
		return;
	/* Nobody's mailbox is opened with root's groups. */
	if (setgroups(0, NULL) < 0)
		log_fatal("setgroups: %s", strerror(errno));
	drop_capabilities();
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
