/* What a worker gives up before it serves: root, the file system, system calls it never needs. */
#include "log/log.h"
#include "param/param.h"
#include "service/privilege.h"
#include "service/sandbox_kernel.h"
#include "service/service_int.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

static void become_mail_owner(const struct passwd *pw)
{
	if (setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		log_fatal("cannot become user %s: %s", pw->pw_name, strerror(errno));
	if (setuid(0) == 0 || seteuid(0) == 0)
		log_panic("root privileges came back");
}

static void enter_chroot(void)
{
	if (chroot(conf.queue_directory) < 0)
		log_fatal("chroot %s: %s", conf.queue_directory, strerror(errno));
	if (chdir("/") < 0)
		log_fatal("chdir /: %s", strerror(errno));
}

void sandbox_enter(void)
{
	/* unpriv=n in master.cf is no use to programs that do not act for other users. */
	bool keep = worker.service->keep_root;
	const struct passwd *pw = NULL;

	if (keep && worker.unpriv && geteuid() == 0)
		log_fatal("service %s: %s acts as other users: its unpriv column in master.cf must "
			  "be \"n\"",
		    worker.name, worker.service->program);
	if (geteuid() == 0 && !keep) {
		errno = 0;
		pw = getpwnam(conf.mail_owner);
		if (pw == NULL)
			log_fatal("file %s/main.cf: parameter mail_owner: user %s not found",
			    conf_dir(), conf.mail_owner);
		if (pw->pw_uid == 0)
			log_fatal("file %s/main.cf: parameter mail_owner: user %s is privileged",
			    conf_dir(), conf.mail_owner);
		/* The rest of the group list and the user database is read before chroot hides
		 * them. */
		if (initgroups(pw->pw_name, pw->pw_gid) < 0)
			log_fatal("groups of user %s: %s", pw->pw_name, strerror(errno));
	}
	if (worker.chroot && geteuid() == 0)
		enter_chroot();
	if (keep && worker.service->privileges)
		privilege_keep(worker.service->privileges);
	if (pw)
		become_mail_owner(pw);
	if (!worker.service->keep_root)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (worker.service->network_only) {
		sandbox_landlock(worker.chroot);
		sandbox_seccomp();
	}
}
