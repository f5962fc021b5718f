/* pipefilter: the simple after-queue filter. pipe(8) gives it a message; what passes the site's
 * check goes back into the queue with sendmail(1). */
#include "base/mem.h"
#include "filters/check/check.h"
#include "loop/loop.h"
#include "loop/proc.h"
#include "param/dirs.h"
#include "smtpwire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PIECE 65536

static struct check check = {
    .seconds = 60,
    .directory = "/tmp",
    .errors = STDERR_FILENO,
};
static const char *sendmail = POSTERN_SENDMAIL_PATH;
static const char *sender;
static const char *const *recipients;
static int status = EX_SOFTWARE;

/* The first line of output is what pipe(8) records. */
static int say(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return code;
}

static void usage(void)
{
	exit(say(EX_USAGE, "usage: pipefilter [-r] [-c check] [-d directory] [-m sendmail] [-t "
			   "seconds] -f sender -- "
			   "recipient ..."));
}

static void parse(int argc, char **argv)
{
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "+c:d:f:m:rt:")) > 0) {
		switch (c) {
		case 'c':
			check.argv = check_command(optarg);
			break;
		case 'd':
			check.directory = optarg;
			break;
		case 'f':
			sender = optarg;
			break;
		case 'm':
			sendmail = optarg;
			break;
		case 'r':
			check.replaces = true;
			break;
		case 't':
			check.seconds = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	recipients = (const char *const *)argv + optind;
	if (!sender || optind == argc || check.seconds < 1)
		usage();
}

/* --- the message, from standard input */

static int read_message(struct spool *message)
{
	static char piece[PIECE];
	struct wire_stuff stuff = {0};
	struct buf wire = {0};
	struct err err = {0};
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		buf_clear(&wire);
		wire_stuff_feed(&stuff, str_mem(piece, (size_t)n), &wire);
		spool_put(message, buf_view(&wire));
	}
	if (n < 0)
		err_errno(&err, errno, "read the message");
	buf_clear(&wire);
	wire_stuff_end(&stuff, &wire);
	spool_put(message, buf_view(&wire));
	buf_free(&wire);
	if (n == 0 && spool_end(message, &err) == 0)
		return 0;
	return say(EX_TEMPFAIL, "4.3.0 %s", err.text);
}

/* --- back into the queue */

struct submission {
	struct spool *message;
	pid_t pid;
	struct stream *in; /* sendmail's input */
	enum wait fed;
};

/* What the pipe has room for is there before sendmail; of the rest the guard keeps the end, should
 * we be killed (see service/command.h). */
static pid_t start_sendmail(const struct submission *s, int in, struct err *err)
{
	static const char *const options[] = {"-G", "-i", "-f"};
	size_t n = 0, count = 0;
	const char **argv;
	struct proc_opts o = {.new_session = true,
	    .guarded = true,
	    .held = s->in ? &s->in->fd : NULL,
	    .fds = {in, STDOUT_FILENO, STDERR_FILENO}};
	pid_t pid;

	while (recipients[count])
		count++;
	argv = mem_alloc((count + ARRAY_SIZE(options) + 4) * sizeof(*argv));
	argv[n++] = sendmail;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		argv[n++] = options[i];
	argv[n++] = sender;
	argv[n++] = "--";
	for (size_t i = 0; i <= count; i++)
		argv[n++] = recipients[i];
	o.argv = argv;
	pid = proc_start(&o, err);
	free(argv);
	return pid;
}

static void feeder(void *arg)
{
	struct submission *s = arg;

	s->fed = check_feed(s->in, s->message, FOREVER);
	if (s->pid > 0) {
		if (s->fed != WAIT_OK) /* it must not take what came so far for the whole */
			proc_kill(s->pid, SIGKILL);
		proc_let_go(s->pid);
	}
	stream_free(s->in);
	s->in = NULL;
}

static int outcome(const struct submission *s, struct scope *scope)
{
	int end = 0;
	enum wait w = proc_wait(s->pid, &end, FOREVER);

	scope_join(scope);
	if (w != WAIT_OK || !WIFEXITED(end) || s->fed != WAIT_OK)
		return say(EX_TEMPFAIL, "4.3.0 %s ended early", sendmail);
	return WEXITSTATUS(end);
}

/* The exit status of sendmail is ours. */
static int submit(struct spool *message)
{
	struct submission s = {.message = message, .pid = -1};
	struct err err = {0};
	struct scope scope;
	int in[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return say(EX_TEMPFAIL, "4.3.0 pipe: %s", strerror(errno));
	s.in = stream_new(in[1]);
	scope_init(&scope);
	co_start(&scope, "sendmail input", feeder, &s);
	co_yield ();
	if (s.in || s.fed == WAIT_OK)
		s.pid = start_sendmail(&s, in[0], &err);
	else
		err_set(&err, "the message cannot be read");
	close(in[0]);
	if (s.pid > 0)
		return outcome(&s, &scope);
	scope_end(&scope);
	return say(EX_TEMPFAIL, "4.3.0 %s", err.text);
}

/* --- the check */

static const char *const *environment(void)
{
	static const char *env[4] = {"PATH=/usr/local/bin:/usr/bin:/bin"};
	static struct buf from, to;

	buf_printf(&from, "SENDER=%s", sender);
	buf_cstr(&to, "RECIPIENTS=");
	for (size_t i = 0; recipients[i]; i++)
		buf_printf(&to, "%s%s", i ? "\n" : "", recipients[i]);
	env[1] = from.p;
	env[2] = to.p;
	return env;
}

static int filter(struct spool *message)
{
	struct check_outcome r;
	int code;

	check_run(&check, message, environment(), &r);
	if (r.verdict == CHECK_PASS)
		code = submit(r.content ? r.content : message);
	else if (r.verdict == CHECK_DISCARD)
		code = EX_OK;
	else
		code = say(r.verdict == CHECK_REFUSE ? EX_UNAVAILABLE : EX_TEMPFAIL, "%s",
		    buf_text(&r.text));
	check_outcome_free(&r);
	return code;
}

static void run(void *arg)
{
	struct spool *message = spool_new(check.directory);

	(void)arg;
	status = read_message(message);
	if (status == 0)
		status = filter(message);
	spool_free(message);
	loop_stop();
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	parse(argc, argv);
	loop_init();
	loop_run(run, NULL);
	return status;
}
