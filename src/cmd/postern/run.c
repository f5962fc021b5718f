/* Start, stop and the rest of what concerns the running system. */
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/postern/postern.h"
#include "log/event.h"
#include "log/log.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS	    20
#define VANISH_WAIT 400 /* ms */

pid_t master_pid(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct buf path = {0};
	int fd;

	buf_printf(&path, "%s/pid/master.pid", conf.queue_directory);
	fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
	buf_free(&path);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		lock.l_pid = 0;
	close(fd);
	return lock.l_pid;
}

static pid_t must_run(void)
{
	pid_t pid = master_pid();

	if (pid <= 0)
		log_fatal("the Postfix mail system is not running");
	return pid;
}

static void must_not_run(void)
{
	if (master_pid() != 0)
		log_fatal("the Postfix mail system is already running");
}

static void exec_in(const char *dir, const char *const *argv)
{
	struct buf path = {0};

	buf_printf(&path, "%s/%s", dir, argv[0]);
	log_finish();
	execv(buf_text(&path), (char *const *)(uintptr_t)argv);
	log_fatal("%s: %s", buf_text(&path), strerror(errno));
}

void exec_command(const char *const *argv)
{
	exec_in(conf.command_directory, argv);
	abort();
}

void exec_daemon(const char *const *argv)
{
	exec_in(conf.daemon_directory, argv);
	abort();
}

int run_program(const char *const *argv, struct err *err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_errno(err, errno, "fork");
	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, errno, "wait for %s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return err_set(err, "%s could not be run", argv[0]);
	return WEXITSTATUS(status);
}

static int start(const char *mode)
{
	const char *argv[8] = {"master", mode};
	int n = 2;

	must_not_run();
	check_system();
	log_system("starting");
	if (control.debugger)
		argv[n++] = "-D";
	for (int i = 0; i < control.verbose && i < 3; i++)
		argv[n++] = "-v";
	exec_daemon(argv);
}

int control_start(void)
{
	return start("-w");
}

int control_start_fg(void)
{
	return start(getpid() == 1 ? "-i" : "-s");
}

static void pause_a_little(void)
{
	struct timespec t = {.tv_nsec = POLL_MS * 1000000L};

	nanosleep(&t, NULL);
}

/* A process without its lock is about to vanish; one that its parent does not collect never does.
 */
static void wait_vanished(pid_t pid)
{
	for (int i = 0; i < VANISH_WAIT / POLL_MS && kill(pid, 0) == 0; i++)
		pause_a_little();
}

/* Until this master has gone: true, or false after the time given. */
static bool wait_gone(pid_t pid, int milliseconds)
{
	for (int i = 0; i < milliseconds / POLL_MS; i++) {
		if (master_pid() != pid) {
			wait_vanished(pid);
			return true;
		}
		pause_a_little();
	}
	return false;
}

static void send_signal(pid_t pid, int signum)
{
	if (kill(pid, signum) < 0 && errno != ESRCH)
		log_fatal("signal the master (process %ld): %s", (long)pid, strerror(errno));
}

static int force(pid_t pid)
{
	log_warn("stopping the Postfix mail system with force");
	/* A master in the background leads a group with all its workers. */
	if (getpgid(pid) == pid)
		kill(-pid, SIGKILL);
	send_signal(pid, SIGKILL);
	return wait_gone(pid, ABORT_WAIT) ? 0 : 1;
}

int control_stop(void)
{
	pid_t pid = must_run();

	log_system("stopping");
	send_signal(pid, SIGTERM);
	return wait_gone(pid, STOP_WAIT) ? 0 : force(pid);
}

/* A second signal tells master not to wait for anybody. */
int control_abort(void)
{
	pid_t pid = must_run();

	log_system("aborting");
	send_signal(pid, SIGTERM);
	if (wait_gone(pid, 100))
		return 0;
	send_signal(pid, SIGTERM);
	return wait_gone(pid, ABORT_WAIT) ? 0 : force(pid);
}

int control_reload(void)
{
	pid_t pid = must_run();

	log_system("refreshing");
	send_signal(pid, SIGHUP);
	return 0;
}

int control_status(void)
{
	pid_t pid = master_pid();

	if (pid == 0) {
		log_info("the Postfix mail system is not running");
		return 1;
	}
	log_info("the Postfix mail system is running: PID: %ld", (long)pid);
	return 0;
}

int control_flush(void)
{
	const char *argv[] = {"postqueue", "-f", NULL};

	exec_command(argv);
}

int control_check(void)
{
	check_system();
	return 0;
}
