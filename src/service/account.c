#include "service/account.h"

#include "param/param.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static int find_user(struct account *a, struct err *err)
{
	const struct passwd *pw = getpwnam(a->user);

	if (!pw)
		return err_set(err, "unknown user name: %s", a->user);
	a->uid = pw->pw_uid;
	a->gid = pw->pw_gid;
	return 0;
}

static int find_group(struct account *a, str name, struct err *err)
{
	char *text = str_dup(name);
	const struct group *gr = getgrnam(text);
	int r = gr ? 0 : err_set(err, "unknown group name: %s", text);

	if (gr)
		a->gid = gr->gr_gid;
	free(text);
	return r;
}

/* Who does not run as root has no queue to guard from itself. */
static int refuse_owner(const struct account *a, struct err *err)
{
	const struct passwd *owner = geteuid() == 0 ? getpwnam(conf.mail_owner) : NULL;
	const struct group *post = owner ? getgrnam(conf.setgid_group) : NULL;

	if (owner && a->uid == owner->pw_uid)
		return err_set(err, "user %s: commands do not run as mail_owner", a->user);
	if (owner && a->gid == owner->pw_gid)
		return err_set(
		    err, "user %s: commands do not run with the group of mail_owner", a->user);
	if (post && a->gid == post->gr_gid)
		return err_set(err, "user %s: commands do not run with setgid_group", a->user);
	return 0;
}

static int refuse(const struct account *a, struct err *err)
{
	if (a->uid == 0)
		return err_set(err, "user %s: commands do not run as root", a->user);
	if (a->gid == 0)
		return err_set(err, "user %s: commands do not run with root's group", a->user);
	return refuse_owner(a, err);
}

int account_parse(struct account *a, str text, struct err *err)
{
	ptrdiff_t colon = str_chr(text, ':');

	*a = (struct account){.user = str_dup(colon < 0 ? text : str_head(text, (size_t)colon))};
	if (find_user(a, err) < 0)
		return -1;
	if (colon >= 0 && (size_t)colon + 1 < text.n &&
	    find_group(a, str_from(text, (size_t)colon + 1), err) < 0)
		return -1;
	return refuse(a, err);
}

bool account_possible(const struct account *a)
{
	return geteuid() == 0 || (a->uid == geteuid() && a->gid == getegid());
}
