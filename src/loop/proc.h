/* Child processes. */
#ifndef POSTERN_LOOP_PROC_H
#define POSTERN_LOOP_PROC_H

#include "base/err.h"
#include "loop/co.h"
#include <sys/types.h>

struct proc_opts {
	const char *const *argv;
	const char *const *env; /* the whole environment; NULL: inherit */
	const char *dir;	/* working directory, or NULL */
	const char *root;	/* chroot, or NULL */
	uid_t uid;		/* with set_ids */
	gid_t gid;
	bool set_ids;	/* become uid/gid, no supplementary groups */
	bool new_group; /* its own process group, so that it can be killed with its children */
	int fds[3];	/* stdin, stdout, stderr of the child; -1: /dev/null */
};
/* Starts a child; its pid, or -1 and err (also when exec failed, with its errno). Every other
 * descriptor is closed in the child. Fast; does not wait for the child. */
pid_t proc_start(const struct proc_opts *o, struct err *err);
/* Waits for its end; *status as of waitpid(2). May wait. */
enum wait proc_wait(pid_t pid, int *status, int64_t deadline);
/* For event code: fn runs once when the child has ended. */
void proc_on_exit(pid_t pid, void (*fn)(pid_t pid, int status, void *arg), void *arg);

#endif
