/* spawn: a command for each connection, with the connection as its standard input, output and
 * error. */
#include "base/mem.h"
#include "log/log.h"
#include "loop/proc.h"
#include "param/param.h"
#include "service/account.h"
#include "service/envlist.h"
#include "service/privilege.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILURE_PAUSE 1000 /* ms, before a client that cannot be served may come again */

static struct account account;
static const char *const *command; /* a NULL at its end */
static int64_t time_limit;	   /* ms */
static struct err trouble;	   /* why no command can be run */

/* --- user=name[:group] argv=command ... */

static int take_user(const char *value, struct err *err)
{
	if (account_parse(&account, str_of(value), err) < 0)
		return -1;
	if (!account_possible(&account))
		return err_set(err, "only root can run commands as user %s", account.user);
	return 0;
}

/* The command's name is in one word with argv=, what follows are its arguments. */
static int take_command(const char *const *words, struct err *err)
{
	size_t n = 0;
	const char **v;

	while (words[n])
		n++;
	v = mem_zero((n + 1) * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = words[i];
	v[0] += strlen("argv=");
	command = v;
	return *v[0] ? 0 : err_set(err, "argv= names no command");
}

static int take_attribute(const char *const *word, struct err *err)
{
	if (strncmp(*word, "user=", 5) == 0)
		return take_user(*word + 5, err);
	if (strncmp(*word, "argv=", 5) == 0)
		return take_command(word, err);
	return err_set(err, "unknown attribute name: %s", *word);
}

static int configure(struct err *err)
{
	for (const char *const *word = service_args(); *word && !command; word++)
		if (take_attribute(word, err) < 0)
			return -1;
	if (!command)
		return err_set(err, "missing argv= attribute");
	if (!account.user)
		return err_set(err, "missing user= attribute");
	time_limit =
	    1000L * conf_transport_time(service_name(), "_time_limit", conf.command_time_limit);
	return time_limit > 0 ? 0 : err_set(err, "its time limit must be greater than 0");
}

/* What is wrong is told to each client by closing the connection: to end here would leave them
 * waiting for somebody to take it. */
static void spawn_setup(void)
{
	if (configure(&trouble) < 0)
		log_error("service %s: %s", service_name(), trouble.text);
}

/* --- connections */

static pid_t start(int fd, struct err *err)
{
	struct proc_opts o = {.argv = command,
	    .env = envlist_for_commands(),
	    .uid = account.uid,
	    .gid = account.gid,
	    .set_ids = geteuid() == 0,
	    .new_session = true,
	    .guarded = true,
	    .fds = {fd, fd, fd}};
	int flags = fcntl(fd, F_GETFL);

	/* The mode is the connection's, not the descriptor's: nobody here reads or writes it. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return err_errno(err, errno, "fcntl");
	return proc_start(&o, err);
}

static void tell_end(int status)
{
	if (WIFSIGNALED(status))
		log_warn("command %s killed by signal %d", command[0], WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_warn("command %s exit status %d", command[0], WEXITSTATUS(status));
}

static void spawn_serve(struct stream *client, const struct hostaddr *peer)
{
	struct err err = trouble;
	pid_t pid = err.text[0] ? -1 : start(client->fd, &err);
	enum wait w;
	int status;

	(void)peer;
	if (pid < 0) {
		log_warn("service %s: %s", service_name(), err.text);
		co_sleep(FAILURE_PAUSE);
		return;
	}
	w = proc_wait(pid, &status, deadline_in(time_limit));
	if (w == WAIT_OK) {
		tell_end(status);
		return;
	}
	if (w == WAIT_TIMEOUT)
		log_warn("%s: process id %d: command time limit exceeded", command[0], (int)pid);
	proc_kill(pid, w == WAIT_TIMEOUT ? SIGKILL : SIGTERM);
	if (w == WAIT_TIMEOUT)
		proc_wait(pid, &status, FOREVER);
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "spawn",
	    .setup = spawn_setup,
	    .serve = spawn_serve,
	    .keep_root = true,
	    .privileges = PRIVILEGES_RUN};

	return service_main(argc, argv, &service);
}
