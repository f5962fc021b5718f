/* A daemon for tests of master and of src/service: answers lines.
 *
 *     pid        the process, its service name, its slot and limit
 *     id         uid, gid, working directory, no_new_privs
 *     exec       tries to run a program: "exec EPERM"
 *     sleep N    answers after N milliseconds
 *     busy N     burns the CPU for N milliseconds
 *     crash      ends by a signal
 *     other      "echo other"
 * Its behaviour at start comes from its arguments in master.cf: fail (exit 1), resident, sandbox,
 * wake (appends to the file "woken"), idle (ends waiting for a line when the worker drains),
 * slow-end (has much to do at its end, and says so in the file "woken"). */
#include "base/clock.h"
#include "log/log.h"
#include "loop/idle.h"
#include "param/param.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool marks_idle;

static bool has_argument(const char *word)
{
	for (const char *const *a = service_args(); *a; a++)
		if (strcmp(*a, word) == 0)
			return true;
	return false;
}

static void answer_id(struct stream *c)
{
	char dir[4096];

	stream_printf(c, FOREVER, "id %ld %ld %s %d\n", (long)geteuid(), (long)getegid(),
	    getcwd(dir, sizeof dir) ? dir : "?", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void burn(int64_t milliseconds)
{
	for (int64_t end = clock_mono_us() + milliseconds * 1000; clock_mono_us() < end;)
		;
}

static void answer(struct stream *c, const char *line)
{
	struct rlimit none = {0};

	if (strcmp(line, "pid") == 0) {
		stream_printf(c, FOREVER, "pid %ld %s %d %ld %ld\n", (long)getpid(), service_name(),
		    service_worker(), service_limit(), service_sessions());
	} else if (strcmp(line, "id") == 0) {
		answer_id(c);
	} else if (strcmp(line, "exec") == 0) {
		execl("/bin/true", "true", (char *)NULL);
		stream_printf(c, FOREVER, "exec %s\n", strerrorname_np(errno));
	} else if (strncmp(line, "sleep ", 6) == 0) {
		stream_puts(
		    c, co_sleep(atoi(line + 6)) == WAIT_OK ? "slept\n" : "cancelled\n", FOREVER);
	} else if (strncmp(line, "busy ", 5) == 0) {
		burn(atoi(line + 5));
		stream_puts(c, "done\n", FOREVER);
	} else if (strcmp(line, "crash") == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGKILL, SIG_DFL);
		raise(SIGKILL);
	} else {
		stream_printf(c, FOREVER, "echo %s\n", line);
	}
}

static void serve(struct stream *c, const struct hostaddr *peer)
{
	char address[HOSTADDR_TEXT];
	enum wait w;
	str line;

	stream_printf(c, FOREVER, "hello %s\n", peer ? hostaddr_text(peer, address) : "local");
	for (;;) {
		char copy[200];

		if (stream_flush(c, FOREVER) != WAIT_OK)
			return;
		w = marks_idle ? idle_wait(c) : stream_wait_input(c, FOREVER);
		if (w != WAIT_OK || stream_gets(c, 100, &line, FOREVER) != WAIT_OK)
			return;
		snprintf(copy, sizeof copy, "%.*s", STR_FMT(str_trim(line)));
		answer(c, copy);
	}
}

static void note(const char *what)
{
	char line[100];
	int fd = open("woken", O_WRONLY | O_CREAT | O_APPEND, 0600);

	snprintf(line, sizeof line, "%s %s\n", service_name(), what);
	if (fd >= 0 && write(fd, line, strlen(line)) < 0)
		log_warn("woken: %m");
	close(fd);
}

static void wakeup(void)
{
	note("wakeup");
}

static void datagram(str packet)
{
	char text[50];

	snprintf(text, sizeof text, "%.*s", STR_FMT(str_head(packet, 40)));
	note(text);
}

static void finish_slowly(void)
{
	note("finish");
	co_sleep(30000);
}

static void setup(void)
{
	marks_idle = has_argument("idle");
	if (has_argument("fail"))
		exit(1);
}

int main(int argc, char **argv)
{
	static struct service s = {
	    .program = "echod", .setup = setup, .serve = serve, .stdio = true};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "resident") == 0)
			s.resident = true;
		else if (strcmp(argv[i], "sandbox") == 0)
			s.network_only = true;
		else if (strcmp(argv[i], "slow-end") == 0)
			s.finish = finish_slowly;
		else if (strcmp(argv[i], "wake") == 0)
			s.serve = NULL;
		else if (strcmp(argv[i], "unix-dgram") == 0)
			s.datagram = datagram;
	}
	if (s.serve == NULL)
		s.wakeup = wakeup;
	return service_main(argc, argv, &s);
}
