/* Commands that get input and print something. */
#include "service/command.h"
#include "loop/loop.h"
#include "t/lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG 60000 /* ms, a time limit that is not reached */

struct input {
	size_t n;  /* bytes, lines of 64 */
	bool fail; /* at the end */
	enum wait wrote;
	bool over;
};

static int feed(struct stream *to, void *arg, struct err *err)
{
	struct input *in = arg;
	char line[65];

	snprintf(line, sizeof line, "%063d\n", 0);
	for (size_t n = 0; n < in->n && in->wrote == WAIT_OK; n += 64)
		in->wrote = stream_write(to, line, 64, FOREVER);
	if (in->wrote == WAIT_OK)
		in->wrote = stream_flush(to, FOREVER);
	in->over = true;
	return in->fail ? err_errno(err, EIO, "the test") : 0;
}

static struct command_result r;
static struct input in;

static void run(const char *script, size_t n, int64_t limit)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct command c = {.argv = argv, .time_limit = limit, .feed = feed, .arg = &in};

	buf_free(&r.output);
	in = (struct input){.n = n, .fail = in.fail};
	command_run(&c, &r);
}

static void test_plain(void)
{
	run("wc -c", 64 * 100, LONG);
	ok(r.end == COMMAND_ENDED && r.status == 0, "success");
	is_int(strtol(buf_text(&r.output), NULL, 10), 6400, "it got its input");
	run("wc -c; echo error >&2; exit 7", 64 * 100000, LONG);
	ok(r.end == COMMAND_ENDED && WEXITSTATUS(r.status) == 7, "exit status");
	is_int(strtol(buf_text(&r.output), NULL, 10), 6400000, "much input");
	ok(strstr(buf_text(&r.output), "error\n"), "both outputs");
	run("kill -9 $$", 0, LONG);
	ok(r.end == COMMAND_ENDED && WTERMSIG(r.status) == 9, "a signal");
	run("read p c s pp g sid rest </proc/$$/stat; test $sid = $$", 0, LONG);
	is_int(r.status, 0, "a session of its own");
	run("for f in 3 4 5 6 7 8 9; do test ! -h /proc/$$/fd/$f || echo $f; done", 0, LONG);
	is_cstr(buf_text(&r.output), "", "no other descriptors");
	run("kill -HUP $$; kill -PIPE $$; echo alive", 0, LONG);
	ok(WIFSIGNALED(r.status), "no signal is ignored in it");
}

static void test_input(void)
{
	run("exit 0", 64 * 100000, LONG);
	ok(r.end == COMMAND_ENDED && r.status == 0, "input that is not read");
	ok(in.over && in.wrote == WAIT_ERROR, "the writer is told");
	run("exec <&-; echo closed", 64 * 100000, LONG);
	is_cstr(buf_text(&r.output), "closed\n", "input that is closed");
	in.fail = true;
	run("cat >/dev/null; echo done; exit 0", 64 * 1000, LONG);
	is_int(r.end, COMMAND_NO_INPUT, "input that breaks off");
	is_cstr(r.err.text, "the test: Input/output error", "why");
	is_cstr(buf_text(&r.output), "", "the command did not take it for the whole");
	in.fail = false;
}

static void test_output(void)
{
	run("cat >/dev/null; i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done", 64, LONG);
	is_int(r.status, 0, "more output than is kept");
	is_int((long long)r.output.n, COMMAND_OUTPUT, "the first is kept");
	ok(str_starts(buf_view(&r.output), STR("0\n1\n2\n")), "from its beginning");
	run("exec cat /dev/zero", 64, LONG);
	ok(r.end == COMMAND_ENDED && WTERMSIG(r.status) == SIGPIPE, "endless output ends");
	run("exec >&- 2>&-; cat >/dev/null", 64 * 100000, LONG);
	is_int(r.status, 0, "closed output");
	ok(in.over && in.wrote == WAIT_OK, "the input goes on");
	run("cat", 64 * 100000, LONG);
	is_int(r.status, 0, "input that comes back");
}

static bool runs(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state != 'Z'; /* init may be slow to ask about it */
}

/* The process that a script told the number of has ended, or does so soon. */
static bool is_gone(void)
{
	pid_t pid = (pid_t)strtol(buf_text(&r.output), NULL, 10);
	int64_t deadline = deadline_in(10000);

	while (pid > 1 && runs(pid) && loop_now() < deadline)
		co_sleep(10);
	return pid > 1 && !runs(pid);
}

static void test_time(void)
{
	run("sleep 1000 & echo $!; wait", 64, 300);
	is_int(r.end, COMMAND_TIMEOUT, "time limit");
	ok(is_gone(), "its children are killed too");
	run("sleep 1000", 64 * 100000, 300);
	ok(r.end == COMMAND_TIMEOUT && in.over && in.wrote == WAIT_CANCEL,
	    "input that nobody takes");
	run("trap '' TERM HUP INT; echo $$; while :; do :; done", 0, 300);
	is_int(r.end, COMMAND_TIMEOUT, "one that ignores signals");
	ok(is_gone(), "is killed");
}

/* Children keep the pipes open. */
static void test_children(void)
{
	int64_t begun = loop_now();

	run("cat >/dev/null; sleep 1000 & echo $!", 64, LONG);
	ok(r.end == COMMAND_ENDED && r.status == 0, "the command ends before its child");
	ok(strtol(buf_text(&r.output), NULL, 10) > 1, "its output is there");
	is_int(
	    kill((pid_t)strtol(buf_text(&r.output), NULL, 10), SIGKILL), 0, "the child lives on");
	run("exec 3<&0; (sleep 1; wc -c <&3 >$OUT) & exit 0", 64 * 10000, LONG);
	ok(r.end == COMMAND_ENDED && in.over && in.wrote == WAIT_OK,
	    "a child that takes the input later gets all of it");
	ok(loop_now() - begun < LONG, "nobody waited for the time limit");
}

static void test_start(void)
{
	const char *argv[] = {"/no/such", NULL};
	struct command c = {.argv = argv, .time_limit = LONG, .feed = feed, .arg = &in};
	int low = dup(0);

	close(low);
	buf_free(&r.output);
	command_run(&c, &r);
	is_int(r.end, COMMAND_NOT_STARTED, "no such program");
	is_cstr(r.err.text, "execute /no/such: No such file or directory", "why");
	argv[0] = "/bin/true";
	c.dir = "/no/folder";
	command_run(&c, &r);
	is_cstr(
	    r.err.text, "change directory to /no/folder: No such file or directory", "no folder");
	c.dir = NULL;
	c.root = "/no/root";
	command_run(&c, &r);
	ok(strstr(r.err.text, "change root to /no/root: "), "no root directory");
	is_int(open("/dev/null", O_RDONLY), low, "no descriptor is left open");
	close(low);
}

static void cancelled_run(void *arg)
{
	run(arg, 64 * 100000, LONG);
}

static void cancelled(const char *script, const char *what)
{
	struct scope s;
	int64_t deadline = deadline_in(LONG);

	scope_init(&s);
	buf_free(&r.output);
	co_start(&s, "command", cancelled_run, (void *)(uintptr_t)script);
	while (r.output.n == 0 && loop_now() < deadline)
		co_sleep(10);
	scope_end(&s);
	is_int(r.end, COMMAND_CANCELLED, what);
	ok(is_gone(), "it is ended");
}

static void tests(void *arg)
{
	(void)arg;
	test_plain();
	test_input();
	test_output();
	test_time();
	test_children();
	test_start();
	cancelled("trap '' TERM; echo $$; sleep 1000", "cancelled while it has not read all");
	cancelled("cat >/dev/null; echo $$; exec sleep 1000", "cancelled when it has");
	buf_free(&r.output);
	exit(done());
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setenv("OUT", "/dev/null", 1);
	loop_init();
	loop_run(tests, NULL);
	return 1;
}
