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
	bool set_ids; /* become uid/gid, no supplementary groups */
	/* A session and process group of its own, so that it can be killed with its children; no
	 * signal is ignored in it. */
	bool new_session;
	/* With new_session: it is killed with its process group when this process ends, however
	 * that happens (see loop/guard.h). */
	bool guarded;
	/* With guarded: one more descriptor that stays open until proc_let_go(), also when this
	 * process ends before, until the child is killed: the writing end of its input, so that it
	 * does not see the end of a part. NULL: none. It stays the caller's, who keeps it open. */
	const int *held;
	int fds[3]; /* stdin, stdout, stderr of the child; -1: /dev/null */
};
/* Children get the limit of open files that this process has now: before it is raised. */
void proc_save_limits(void);
/* Starts a child; its pid, or -1 and err (also when exec failed, with its errno). Every other
 * descriptor is closed in the child. Fast; does not wait for the child. */
pid_t proc_start(const struct proc_opts *o, struct err *err);
/* Waits for its end; *status as of waitpid(2). May wait. */
enum wait proc_wait(pid_t pid, int *status, int64_t deadline);
/* Sends a signal to a child that has not ended, with new_session to its whole process group. Those
 * that get a SIGKILL are stopped before: none sees another's end, and takes it for that of its
 * input. */
void proc_kill(pid_t pid, int signum);
/* What was held for the child is not needed any more; nothing when it has ended. */
void proc_let_go(pid_t pid);
/* For event code: fn runs once when the child has ended. */
void proc_on_exit(pid_t pid, void (*fn)(pid_t pid, int status, void *arg), void *arg);

#endif
