/* A worker's process: what it is sent right after the fork is its own. */
// with: src/master/spawn.c
#include "base/file.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "loop/proc.h"
#include "master/master.h"
#include "t/lib/tap.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 50

static int signals;

static void on_signal(int signum, void *arg)
{
	(void)signum, (void)arg;
	signals++;
}

/* master stops, and has just started a worker: the child has not left master's handlers yet. */
static void signalled_at_once(void *arg)
{
	static char name[] = "worker", path[] = "/proc/self/exe"; /* see main() */
	struct master_service s = {
	    .name = name, .command = name, .path = path, .type = SERVICE_UNIX};
	int ended = 0;

	(void)arg;
	loop_signal(SIGTERM, on_signal, NULL);
	for (int i = 0; i < WORKERS && ended == i; i++) {
		struct worker w = {.control = -1};
		struct err err;
		int status = 0;

		if (worker_spawn(&w, &s, &err) < 0)
			abort();
		kill(w.pid, SIGTERM);
		co_sleep(2); /* what the child did to our loop shows */
		for (int n = 0; waitpid(w.pid, &status, WNOHANG) == 0 && n < 2000; n++)
			co_sleep(5);
		ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
		kill(w.pid, SIGKILL);
		close(w.control);
	}
	is_int(ended, WORKERS, "a signal right after the start ends the worker");
	is_int(signals, 0, "and is not taken for one to master");
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) /* started as a worker */
		pause();
	loop_init();
	loop_run(signalled_at_once, NULL);
	return done();
}
