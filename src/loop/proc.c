#include "loop/proc.h"

#include "base/mem.h"
#include "loop/guard.h"
#include "loop/loop.h"
#include "loop/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Children that were started here and not yet asked about. */
struct child {
	struct list link;
	pid_t pid;
	bool group; /* it leads one */
	int slot;   /* of the guard, or -1 */
	bool ended;
	int status;
	struct cond end;
	int waiters;
	void (*fn)(pid_t pid, int status, void *arg);
	void *arg;
};

static struct list children = {&children, &children};
static size_t running;
static uv_signal_t *sigchld;
static struct rlimit files;
static bool files_saved;

void proc_save_limits(void)
{
	files_saved = getrlimit(RLIMIT_NOFILE, &files) == 0;
}

void proc_reset(void)
{
	list_init(&children); /* they are the parent's */
	guard_forget();
	running = 0;
	sigchld = NULL;
}

static struct child *find(pid_t pid)
{
	struct child *c;

	LIST_FOREACH (c, &children, struct child, link)
		if (c->pid == pid)
			return c;
	return NULL;
}

static void forget(struct child *c)
{
	list_remove(&c->link);
	free(c);
}

static void tell(void *arg)
{
	struct child *c = arg;

	c->fn(c->pid, c->status, c->arg);
	forget(c);
}

static void child_gone(void)
{
	if (--running == 0)
		uv_unref((uv_handle_t *)sigchld);
}

static void child_ended(struct child *c, int status)
{
	c->ended = true;
	c->status = status;
	if (c->slot >= 0)
		guard_give(c->slot);
	child_gone();
	cond_wake_all(&c->end);
	if (c->fn)
		loop_defer(tell, c);
}

/* Only pids of ours are asked for: other children belong to whoever started them. */
static void on_sigchld(uv_signal_t *h, int signum)
{
	struct child *c;
	int status;
	pid_t r;

	(void)h;
	(void)signum;
	LIST_FOREACH (c, &children, struct child, link) {
		if (c->ended)
			continue;
		do
			r = waitpid(c->pid, &status, WNOHANG);
		while (r < 0 && errno == EINTR);
		if (r == c->pid)
			child_ended(c, status);
		else if (r < 0)
			child_ended(c, 0xff00); /* somebody else took its status */
	}
	guard_look();
}

static void watch_children(void)
{
	if (!sigchld) {
		sigchld = mem_zero(sizeof(*sigchld));
		uv_signal_init(loop_get(), sigchld);
		if (uv_signal_start(sigchld, on_sigchld, SIGCHLD) < 0)
			loop_panic("no signal handler for SIGCHLD");
		uv_unref((uv_handle_t *)sigchld);
	}
	if (running++ == 0)
		uv_ref((uv_handle_t *)sigchld);
}

/* In the child. It shares the parent's memory until it executes the program, so that only
 * system calls are made here, and those that change ids are made directly: the C library's would
 * tell the parent's threads. */

struct start {
	const struct proc_opts *o;
	pid_t parent;
	int slot;		  /* of the guard, or -1 */
	const char *stage, *what; /* what failed */
	int code;
	sigset_t mask;
};

static int become_user(const struct proc_opts *o)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0 && (errno != EPERM || geteuid() == 0))
		return -1;
	if (syscall(SYS_setresgid, o->gid, o->gid, o->gid) < 0)
		return -1;
	return syscall(SYS_setresuid, o->uid, o->uid, o->uid) < 0 ? -1 : 0;
}

static int place_fds(const int fds[3])
{
	int moved[3];

	for (int i = 0; i < 3; i++) {
		moved[i] = fds[i] < 0 ? open("/dev/null", O_RDWR) : fds[i];
		if (moved[i] >= 0 && moved[i] < 3)
			moved[i] = fcntl(moved[i], F_DUPFD, 3);
		if (moved[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(moved[i], i) < 0)
			return -1;
	return 0;
}

void proc_close_others(void)
{
	struct rlimit lim;

	if (syscall(SYS_close_range, 3, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur > 65536)
		lim.rlim_cur = 65536;
	for (int fd = 3; fd < (int)lim.rlim_cur; fd++)
		close(fd);
}

/* What a user's shell ignores (nohup) stays ignored in the programs of a command. */
static void default_signals(bool ignored_too)
{
	struct sigaction sa;

	for (int i = 1; i < 65; i++)
		if (sigaction(i, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL &&
		    (sa.sa_handler != SIG_IGN || ignored_too || i == SIGPIPE)) {
			memset(&sa, 0, sizeof(sa));
			sa.sa_handler = SIG_DFL;
			sigaction(i, &sa, NULL);
		}
}

static bool failed(struct start *st, int r, const char *stage, const char *what)
{
	if (r >= 0)
		return false;
	st->code = errno;
	st->stage = stage;
	st->what = what;
	return true;
}

/* A parent that is gone now has a guard that has not seen us. */
static void let_guard_know(const struct start *st)
{
	if (st->slot < 0)
		return;
	*guard_place(st->slot) = (int)syscall(SYS_getpid);
	if (syscall(SYS_getppid) != st->parent)
		_exit(127);
}

static void child_steps(struct start *st)
{
	const struct proc_opts *o = st->o;
	const char *name = o->argv[0];

	default_signals(o->new_session);
	if (o->new_session && failed(st, setsid(), "session of", name))
		return;
	let_guard_know(st);
	/* Before the root changes: /dev/null may be needed. */
	if (failed(st, place_fds(o->fds), "descriptors of", name))
		return;
	proc_close_others();
	if (files_saved)
		setrlimit(RLIMIT_NOFILE, &files);
	if (o->root && (failed(st, chroot(o->root), "change root to", o->root) ||
			   failed(st, chdir("/"), "change root to", o->root)))
		return;
	if (o->set_ids && failed(st, become_user(o), "change user and group for", name))
		return;
	if (o->dir && failed(st, chdir(o->dir), "change directory to", o->dir))
		return;
	sigprocmask(SIG_SETMASK, &st->mask, NULL);
	failed(st,
	    execvpe(name, (char *const *)(uintptr_t)o->argv,
		o->env ? (char *const *)(uintptr_t)o->env : environ),
	    "execute", name);
}

__attribute__((noinline, no_sanitize("address"))) static pid_t start_child(struct start *st)
{
	pid_t pid = vfork();

	if (pid == 0) {
		child_steps(st);
		_exit(127);
	}
	return pid;
}

/* Signals are blocked while parent and child share memory: no handler must run in the child. */
static pid_t start_masked(struct start *st)
{
	sigset_t all, before;
	pid_t pid;
	int code;

	sigemptyset(&st->mask); /* the program starts with none blocked */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = start_child(st);
	code = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = code;
	return pid;
}

/* The slot of a child that is to be guarded, else -1. */
static int take_slot(const struct proc_opts *o, int *slot, struct err *err)
{
	*slot = o->guarded ? guard_take(err) : -1;
	if (o->guarded && *slot < 0)
		return -1;
	if (*slot < 0 || !o->held || guard_hold(*slot, *o->held, err) == 0)
		return 0;
	guard_give(*slot);
	return -1;
}

static void remember(pid_t pid, const struct start *st)
{
	struct child *c = find(pid);

	if (c && c->waiters == 0 && !c->fn)
		forget(c); /* long over, and nobody asked */
	c = mem_zero(sizeof(*c));
	c->pid = pid;
	c->group = st->o->new_session;
	c->slot = st->slot;
	cond_init(&c->end);
	list_prepend(&children, &c->link);
}

pid_t proc_start(const struct proc_opts *o, struct err *err)
{
	struct start st = {.o = o, .parent = getpid()};
	pid_t pid;
	int code;

	if (take_slot(o, &st.slot, err) < 0)
		return -1;
	watch_children(); /* before the child can end */
	pid = start_masked(&st);
	code = errno;
	if (pid > 0 && !st.stage) {
		remember(pid, &st);
		return pid;
	}
	child_gone();
	if (pid < 0)
		err_errno(err, code, "start %s", o->argv[0]);
	else
		err_errno(err, st.code, "%s %s", st.stage, st.what);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (st.slot >= 0)
		guard_give(st.slot);
	return -1;
}

enum wait proc_wait(pid_t pid, int *status, int64_t deadline)
{
	struct child *c = find(pid);
	enum wait r = WAIT_OK;

	if (!c) {
		errno = ECHILD;
		return WAIT_ERROR;
	}
	c->waiters++;
	while (!c->ended && r == WAIT_OK)
		r = cond_wait(&c->end, deadline);
	c->waiters--;
	if (!c->ended)
		return r;
	*status = c->status;
	if (c->waiters == 0)
		forget(c);
	return WAIT_OK;
}

void proc_kill(pid_t pid, int signum)
{
	const struct child *c = find(pid);

	if (!c || c->ended)
		return;
	if (c->group && signum == SIGKILL)
		kill(-pid, SIGSTOP);
	kill(c->group ? -pid : pid, signum);
}

void proc_let_go(pid_t pid)
{
	const struct child *c = find(pid);

	if (c && !c->ended && c->slot >= 0)
		guard_let_go(c->slot);
}

void proc_on_exit(pid_t pid, void (*fn)(pid_t pid, int status, void *arg), void *arg)
{
	struct child *c = find(pid);

	if (!c)
		loop_panic("proc_on_exit: no such child");
	c->fn = fn;
	c->arg = arg;
	if (c->ended)
		loop_defer(tell, c);
}
