/* Child processes, and the thread pool. */
#include "loop/proc.h"
#include "../../lib/tap.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/work.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t soon(void)
{
	return deadline_in(10000);
}

static pid_t sh(const char *script, int out, struct err *err)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct proc_opts o = {.argv = argv, .fds = {-1, out, out}};

	return proc_start(&o, err);
}

/* Exit status of a script and what it printed. */
static int outcome(const char *script, char *text, size_t size)
{
	struct stream *s;
	int fds[2], status = -1;
	size_t n = 0;
	str data;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	pid = sh(script, fds[1], NULL);
	close(fds[1]);
	s = stream_new(fds[0]);
	while (n < size - 1 && stream_peek(s, 1, &data, soon()) == WAIT_OK) {
		data = str_head(data, size - 1 - n);
		memcpy(text + n, data.p, data.n);
		n += data.n;
		stream_consume(s, data.n);
	}
	text[n] = 0;
	stream_free(s);
	proc_wait(pid, &status, soon());
	return status;
}

static void start_and_wait(void *arg)
{
	char text[4096], expect[64];
	struct err err = {0};
	int status, leak = dup(1);
	pid_t pid;

	(void)arg;
	is_int(outcome("echo hello; exit 3", text, sizeof(text)), 3 << 8, "exit status");
	is_cstr(text, "hello\n", "output");
	is_int(outcome("kill -TERM $$", text, sizeof(text)), SIGTERM, "death by a signal");
	snprintf(expect, sizeof(expect), "[ ! -e /dev/fd/%d ]", leak);
	is_int(outcome(expect, text, sizeof(text)), 0, "other descriptors are closed");
	close(leak);
	is_int(outcome("read x && exit 1; exit 0", text, sizeof(text)), 0, "input is empty");
	is_int(
	    outcome("trap '' PIPE; kill -0 $$; grep SigBlk /proc/self/status", text, sizeof(text)),
	    0, "signal mask");
	is_cstr(text, "SigBlk:\t0000000000000000\n", "no signal is blocked");
	is_int(outcome("kill -PIPE $$; echo alive", text, sizeof(text)), SIGPIPE,
	    "SIGPIPE has its default again");

	pid = sh("sleep 60", -1, &err);
	is_int(proc_wait(pid, &status, deadline_in(20)), WAIT_TIMEOUT, "waiting has a deadline");
	kill(pid, SIGKILL);
	is_int(proc_wait(pid, &status, soon()), WAIT_OK, "and can go on");
	is_int(status, SIGKILL, "killed");
	is_int(proc_wait(pid, &status, soon()), WAIT_ERROR, "an end is told once");
	is_int(errno, ECHILD, "no such child");
}

static void options(void *arg)
{
	const char *pwd[] = {
	    "sh", "-c", "[ \"$PWD\" = /usr ] && [ \"$A\" = b ] && [ -z \"$HOME\" ]", NULL};
	const char *ids[] = {"/bin/sh", "-c", "[ $(id -u):$(id -G) = 65534:65534 ]", NULL};
	const char *group[] = {"/bin/sh", "-c", "sleep 60 & wait", NULL};
	const char *none[] = {"/nowhere/program", NULL};
	const char *const env[] = {"A=b", NULL};
	struct proc_opts o = {.argv = pwd, .env = env, .dir = "/usr", .fds = {-1, 1, 2}};
	struct err err = {0};
	int status = -1;
	pid_t pid;

	(void)arg;
	pid = proc_start(&o, &err);
	proc_wait(pid, &status, soon());
	is_int(status, 0, "directory and environment");
	o = (struct proc_opts){.argv = none, .fds = {-1, 1, 2}};
	is_int(proc_start(&o, &err), -1, "a program that is not there");
	is_int(err.code, ENOENT, "its errno");
	ok(strstr(err.text, "/nowhere/program"), "its name");
	o = (struct proc_opts){.argv = pwd, .dir = "/nowhere", .fds = {-1, 1, 2}};
	is_int(proc_start(&o, &err), -1, "a directory that is not there");
	o = (struct proc_opts){.argv = group, .new_session = true, .fds = {-1, -1, -1}};
	pid = proc_start(&o, &err);
	is_int(getpgid(pid), pid, "a process group of its own");
	is_int(getsid(pid), pid, "and a session");
	proc_kill(pid, SIGKILL);
	proc_wait(pid, &status, soon());
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it is killed");
	proc_kill(pid, SIGKILL); /* nothing happens */
	if (geteuid() != 0)
		return;
	o = (struct proc_opts){
	    .argv = ids, .set_ids = true, .uid = 65534, .gid = 65534, .fds = {-1, -1, -1}};
	pid = proc_start(&o, &err);
	proc_wait(pid, &status, soon());
	is_int(status, 0, "another user, no supplementary groups");
	is_int(geteuid(), 0, "we stay who we are");
}

static struct cond told;
static int told_status = -1;

static void on_exit_of(pid_t pid, int status, void *arg)
{
	*(pid_t *)arg = pid;
	told_status = status;
	cond_wake_all(&told);
}

static void events(void *arg)
{
	pid_t foreign, pid, seen = 0;
	int status;

	(void)arg;
	cond_init(&told);
	foreign = fork();
	if (foreign == 0)
		_exit(9);
	pid = sh("exit 4", -1, NULL);
	proc_on_exit(pid, on_exit_of, &seen);
	while (told_status < 0 && cond_wait(&told, soon()) == WAIT_OK)
		;
	is_int(told_status, 4 << 8, "event code is told");
	is_int(seen, pid, "of the right child");
	co_sleep(20);
	is_int(waitpid(foreign, &status, 0), foreign, "other children are left alone");
	pid = sh("exit 5", -1, NULL);
	co_sleep(200);
	told_status = -1;
	proc_on_exit(pid, on_exit_of, &seen);
	while (told_status < 0 && cond_wait(&told, soon()) == WAIT_OK)
		;
	is_int(told_status, 5 << 8, "even when it asks late");
}

static void ones(void *arg)
{
	int status = -1;
	pid_t pid = sh("exit 0", -1, NULL);

	if (proc_wait(pid, &status, soon()) == WAIT_OK && status == 0)
		++*(int *)arg;
}

static void crowd(void *arg)
{
	struct scope s;
	int n = 0;

	(void)arg;
	scope_init(&s);
	for (int i = 0; i < 50; i++)
		co_start(&s, "one", ones, &n);
	scope_join(&s);
	is_int(n, 50, "fifty at once");
}

/* The thread pool. */

static pthread_t loop_thread;

struct job {
	bool elsewhere, done;
};

static void slow_job(void *arg)
{
	struct job *j = arg;

	usleep(20000);
	j->elsewhere = !pthread_equal(pthread_self(), loop_thread);
}

static void job_done(void *arg)
{
	((struct job *)arg)->done = true;
	cond_wake_all(&told);
}

static void counter(void *arg)
{
	while (co_sleep(1) == WAIT_OK)
		++*(int *)arg;
}

static void worker(void *arg)
{
	struct job *j = arg;

	work_run(slow_job, j);
	j->done = true;
}

static void pool(void *arg)
{
	struct job a = {0}, b = {0}, c = {0};
	struct scope s;
	int turns = 0;

	(void)arg;
	scope_init(&s);
	co_start(&s, "counter", counter, &turns);
	work_run(slow_job, &a);
	ok(a.elsewhere, "work runs in another thread");
	ok(turns > 2, "while the loop goes on");
	scope_end(&s);
	co_start(&s, "worker", worker, &b);
	co_yield ();
	scope_end(&s);
	ok(b.elsewhere && b.done, "work is not cancelled");
	work_start(slow_job, job_done, &c);
	while (!c.done && cond_wait(&told, soon()) == WAIT_OK)
		;
	ok(c.elsewhere && c.done, "work for event code");
}

int main(void)
{
	struct job here = {0};

	loop_thread = pthread_self();
	loop_init();
	loop_run(start_and_wait, NULL);
	loop_run(options, NULL);
	loop_run(events, NULL);
	loop_run(crowd, NULL);
	loop_run(pool, NULL);
	work_run(slow_job, &here);
	ok(!here.elsewhere, "outside of coroutines work is a call");
	return done();
}
