/* The directories of a queue. */
#include "base/file.h"
#include "base/mem.h"
#include "param/param.h"
#include "queue/queue.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

enum owner { OWNER_ROOT, OWNER_MAIL };
static const struct queue_dir {
	const char *name;
	mode_t mode;
	enum owner owner;
	bool setgid_group; /* belongs to setgid_group, so that commands of users reach it */
} dirs[] = {
    {"active", 0700, OWNER_MAIL, false},
    {"bounce", 0700, OWNER_MAIL, false},
    {"corrupt", 0700, OWNER_MAIL, false},
    {"defer", 0700, OWNER_MAIL, false},
    {"deferred", 0700, OWNER_MAIL, false},
    {"flush", 0700, OWNER_MAIL, false},
    {"hold", 0700, OWNER_MAIL, false},
    {"incoming", 0700, OWNER_MAIL, false},
    {"log", 0700, OWNER_MAIL, false},
    {"maildrop", 0730, OWNER_MAIL, true},
    {"pid", 0755, OWNER_ROOT, false},
    {"private", 0700, OWNER_MAIL, false},
    {"public", 0710, OWNER_MAIL, true},
    {"saved", 0700, OWNER_MAIL, false},
    {"trace", 0700, OWNER_MAIL, false},
};

struct owners {
	uid_t mail_uid;
	gid_t mail_gid, drop_gid;
};

static int owners_find(struct owners *o, struct err *err)
{
	const struct passwd *pw = getpwnam(conf.mail_owner);
	const struct group *gr = getgrnam(conf.setgid_group);

	if (!pw)
		return err_set(err, "mail_owner: unknown user %s", conf.mail_owner);
	if (!gr)
		return err_set(err, "setgid_group: unknown group %s", conf.setgid_group);
	*o = (struct owners){pw->pw_uid, pw->pw_gid, gr->gr_gid};
	return 0;
}

static int dir_make(const struct queue_dir *d, const struct owners *o, struct err *err)
{
	struct stat st;

	if (mkdir(d->name, d->mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "create %s", d->name);
	if (lstat(d->name, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, "%s is not a directory", d->name);
	if (o) {
		uid_t uid = d->owner == OWNER_MAIL ? o->mail_uid : 0;
		gid_t gid = d->setgid_group ? o->drop_gid : st.st_gid;

		if ((st.st_uid != uid || st.st_gid != gid) && lchown(d->name, uid, gid) < 0)
			return err_errno(err, errno, "change owner of %s", d->name);
	}
	/* A set-gid bit that somebody added (some packages do) stays. */
	if ((st.st_mode & 0777) != d->mode && chmod(d->name, d->mode | (st.st_mode & S_ISGID)) < 0)
		return err_errno(err, errno, "change mode of %s", d->name);
	return 0;
}

int queue_create(struct err *err)
{
	struct owners owners;
	bool root = geteuid() == 0;

	if (root && owners_find(&owners, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (dir_make(&dirs[i], root ? &owners : NULL, err) < 0)
			return -1;
	return 0;
}
