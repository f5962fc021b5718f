/* The process of a worker: descriptors, environment, command line. */
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/loop.h"
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL_FD 3
#define HIGH_FD	   64 /* above what a service's sockets can need below it, see move_up() */

static const char *const type_names[] = {
    [SERVICE_INET] = "inet",
    [SERVICE_UNIX] = "unix",
    [SERVICE_FIFO] = "fifo",
    [SERVICE_PASS] = "pass",
    [SERVICE_DGRAM] = "unix-dgram",
};

/* The pointers belong to s; only the vector is to be freed. */
static const char **command_line(const struct master_service *s)
{
	const char **argv = mem_zero(sizeof *argv * (s->nargs + 8));
	size_t n = 0;

	argv[n++] = s->command;
	argv[n++] = "-n";
	argv[n++] = s->name;
	argv[n++] = "-t";
	argv[n++] = type_names[s->type];
	if (s->chroot)
		argv[n++] = "-c";
	if (s->unpriv)
		argv[n++] = "-u";
	for (size_t i = 0; i < s->nargs; i++)
		argv[n++] = s->args[i];
	return argv;
}

static void set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof text, "%ld", value);
	setenv(name, text, 1);
}

/* In the child: descriptor i of the list becomes 3 + i. They are copied above all targets first,
 * because a target may be the source of another. */
static void place_descriptors(int control, const struct master_service *s)
{
	int base = HIGH_FD + (int)s->nsocks, n = (int)s->nsocks + 1;
	int *high = mem_alloc(sizeof *high * (size_t)n);

	for (int i = 0; i < n; i++)
		high[i] = fcntl(i ? s->socks[i - 1].fd : control, F_DUPFD, base);
	for (int i = 0; i < n; i++)
		if (high[i] < 0 || dup2(high[i], CONTROL_FD + i) < 0)
			_exit(126);
	free(high);
	close_range((unsigned)(CONTROL_FD + n), ~0U, 0);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run(struct worker *w, const struct master_service *s, int control)
{
	const char **argv = command_line(s);

	reset_signals();
	set_number("SERVICE_FDS", (long)s->nsocks);
	set_number("SERVICE_LIMIT", w->limit);
	set_number("SERVICE_WORKER", w->slot);
	place_descriptors(control, s);
	execv(s->path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* No signal reaches the child before it is out of our handlers: they would write into our event
 * loop's pipe, and a SIGTERM for the child would stop the system. */
static pid_t fork_masked(void)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid != 0) /* the child: reset_signals() */
		sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

int worker_spawn(struct worker *w, const struct master_service *s, struct err *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "socketpair");
	w->pid = fork_masked();
	if (w->pid < 0) {
		int error = errno;

		close(pair[0]);
		close(pair[1]);
		return err_errno(err, error, "fork");
	}
	if (w->pid == 0)
		run(w, s, pair[1]);
	close(pair[1]);
	file_nonblock(pair[0]);
	w->control = pair[0];
	return 0;
}
