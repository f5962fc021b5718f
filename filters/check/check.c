#include "filters/check/check.h"

#include "base/mem.h"
#include "loop/proc.h"
#include "smtpwire/reply.h"
#include "smtpwire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define EX_DISCARD 99
#define TEXT_MAX   400
/* What takes a message's place may be larger, but not endless. */
#define GROWTH (1024 * 1024)

const char *check_verdict_name(enum check_verdict v)
{
	static const char *const names[] = {"pass", "refuse", "discard", "defer"};

	return names[v];
}

const char *const *check_command(const char *line)
{
	str rest = str_of(line), word;
	char **argv = mem_zero(sizeof(*argv));
	size_t n = 0;

	while (str_word_braced(&rest, " \t\r\n", &word)) {
		if (word.n >= 2 && word.p[0] == '{' && word.p[word.n - 1] == '}')
			word = str_head(str_from(word, 1), word.n - 2);
		argv = mem_realloc(argv, (n + 2) * sizeof(*argv));
		argv[n++] = str_dup(word);
		argv[n] = NULL;
	}
	return (const char *const *)argv;
}

/* --- the message to the program */

struct feed {
	struct stream *to;
	struct spool *message;
	struct wire_unstuff plain;
	struct buf piece;
	int64_t deadline;
	enum wait w;
};

static int feed_piece(void *arg, str wire)
{
	struct feed *f = arg;

	buf_clear(&f->piece);
	wire_unstuff_feed(&f->plain, wire, &f->piece);
	f->w = stream_write(f->to, f->piece.p, f->piece.n, f->deadline);
	return f->w == WAIT_OK ? 0 : -1;
}

enum wait check_feed(struct stream *to, struct spool *message, int64_t deadline)
{
	struct feed f = {.to = to, .message = message, .plain.lf = true, .deadline = deadline};
	struct err err = {0};

	if (spool_read(message, feed_piece, &f, &err) < 0 && f.w == WAIT_OK) {
		errno = err.code;
		f.w = WAIT_ERROR;
	}
	if (f.w == WAIT_OK)
		f.w = stream_flush(to, deadline);
	buf_free(&f.piece);
	return f.w;
}

/* --- what it prints */

struct run {
	const struct check *check;
	struct spool *message;
	pid_t pid;
	struct stream *in, *out; /* its standard input and output */
	int64_t deadline;
	enum wait fed;
	int fed_errno;
	struct buf text;
	struct spool *content;
	struct wire_stuff stuff;
	bool endless;
};

static void feeder(void *arg)
{
	struct run *r = arg;

	r->fed = check_feed(r->in, r->message, r->deadline);
	r->fed_errno = errno;
	if (r->pid > 0 && r->fed != WAIT_OK && r->fed_errno != EPIPE)
		proc_kill(r->pid, SIGKILL); /* a part must not look like the whole */
	if (r->pid > 0)
		proc_let_go(r->pid);
	stream_free(r->in); /* its end of file */
	r->in = NULL;
}

static void take_output(struct run *r, str data)
{
	struct buf wire = {0};

	if (r->text.n < TEXT_MAX)
		buf_str(&r->text, str_head(data, TEXT_MAX - r->text.n));
	if (!r->content || r->endless)
		return;
	wire_stuff_feed(&r->stuff, data, &wire);
	spool_put(r->content, buf_view(&wire));
	buf_free(&wire);
	r->endless = spool_size(r->content) > spool_size(r->message) * 2 + GROWTH;
	if (r->endless)
		proc_kill(r->pid, SIGKILL);
}

static void reader(void *arg)
{
	struct run *r = arg;
	struct buf tail = {0};
	str data;

	while (!r->endless && stream_peek(r->out, 1, &data, r->deadline) == WAIT_OK) {
		take_output(r, data);
		stream_consume(r->out, data.n);
	}
	if (r->content) {
		wire_stuff_end(&r->stuff, &tail);
		spool_put(r->content, buf_view(&tail));
		buf_free(&tail);
	}
}

/* --- running it */

static int open_pipes(int in[2], int out[2], struct err *err)
{
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	if (pipe2(out, O_CLOEXEC) == 0)
		return 0;
	err_errno(err, errno, "pipe");
	close(in[0]);
	close(in[1]);
	return -1;
}

/* What the pipe has room for is there before the program; of the rest the guard keeps the end (see
 * service/command.h). */
static pid_t start(struct run *r, const char *const *env, struct scope *scope, struct err *err)
{
	const struct check *c = r->check;
	struct proc_opts o = {
	    .argv = c->argv, .env = env, .dir = c->directory, .new_session = true, .guarded = true};
	int in[2], out[2];
	pid_t pid;

	if (open_pipes(in, out, err) < 0)
		return -1;
	r->in = stream_new(in[1]);
	r->out = stream_new(out[0]);
	co_start(scope, "check input", feeder, r);
	co_yield ();
	o.held = r->in ? &r->in->fd : NULL;
	o.fds[0] = in[0];
	o.fds[1] = out[1];
	o.fds[2] = c->errors;
	pid = r->in || r->fed == WAIT_OK ? proc_start(&o, err)
					 : err_set(err, "the message cannot be read");
	close(in[0]);
	close(out[1]);
	return pid;
}

/* Its end, which it has to come to in time; -1: it was killed. */
static int exit_status(struct run *r)
{
	int status = 0;

	if (proc_wait(r->pid, &status, r->deadline) == WAIT_OK)
		return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	proc_kill(r->pid, SIGKILL);
	co_shield(true);
	proc_wait(r->pid, &status, FOREVER);
	co_shield(false);
	return -1;
}

static int converse(struct run *r, const char *const *env, struct err *err)
{
	struct scope scope;
	int status = -1;

	scope_init(&scope);
	r->pid = start(r, env, &scope, err);
	if (r->pid > 0) {
		co_start(&scope, "check output", reader, r);
		status = exit_status(r);
		/* A child that it left behind may hold the pipes open. */
		kill(-r->pid, SIGKILL);
		scope_join(&scope);
	}
	scope_end(&scope);
	stream_free(r->in);
	stream_free(r->out);
	return status;
}

/* --- the verdict */

static enum check_verdict verdict_of(int status)
{
	switch (status) {
	case 0:
		return CHECK_PASS;
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_UNAVAILABLE:
	case EX_NOPERM:
		return CHECK_REFUSE;
	case EX_DISCARD:
		return CHECK_DISCARD;
	default:
		return CHECK_DEFER;
	}
}

/* The first line that was printed, as the text of a reply of this class. */
static void put_reason(struct buf *out, char class, str printed)
{
	struct buf full = {0};
	str dsn, text;
	int code;

	buf_printf(&full, "%c50 ", class);
	for (size_t i = 0; i < printed.n && printed.p[i] != '\n'; i++) {
		unsigned char b = (unsigned char)printed.p[i];

		buf_char(&full, b == '\r' ? ' ' : b < ' ' || b > 126 ? '?' : (char)b);
	}
	if (!reply_split(str_trim(buf_view(&full)), &code, &dsn, &text) || dsn.p[0] != class ||
	    dsn.n == 0)
		buf_printf(out, "%c.7.1 ", class);
	else
		buf_printf(out, "%.*s ", STR_FMT(dsn));
	if (text.n)
		buf_str(out, str_trim(text));
	else
		buf_cstr(
		    out, class == '5' ? "Message content rejected" : "Message not accepted now");
	buf_free(&full);
}

static void trouble(struct check_outcome *r, const char *why)
{
	r->verdict = CHECK_DEFER;
	buf_clear(&r->text);
	buf_printf(&r->text, "4.3.0 Content filter: %s", why);
}

/* A program that passes a message it has not read in full is as good as any: it may know enough.
 * But it cannot replace it, and what we could not read ourselves nobody has judged. */
static bool was_fed(const struct run *run)
{
	return run->fed == WAIT_OK ||
	       (run->fed == WAIT_ERROR && run->fed_errno == EPIPE && !run->content);
}

static void judge(struct run *run, int status, struct check_outcome *r)
{
	struct err err = {0};

	r->verdict = verdict_of(status);
	if (run->endless)
		trouble(r, "the program prints too much");
	else if (status < 0)
		trouble(r, "the program was killed, or took too long");
	else if (r->verdict == CHECK_REFUSE)
		put_reason(&r->text, '5', buf_view(&run->text));
	else if (r->verdict == CHECK_DEFER)
		put_reason(&r->text, '4', buf_view(&run->text));
	else if (r->verdict == CHECK_PASS && !was_fed(run))
		trouble(r, "the program did not get the message");
	else if (r->verdict == CHECK_PASS && run->content && spool_end(run->content, &err) < 0)
		trouble(r, err.text);
}

void check_run(
    const struct check *c, struct spool *message, const char *const *env, struct check_outcome *r)
{
	struct run run = {.check = c, .message = message, .pid = -1};
	struct err err = {0};
	int status;

	*r = (struct check_outcome){.verdict = CHECK_PASS};
	if (!c->argv || !c->argv[0])
		return;
	run.deadline = deadline_in(c->seconds * 1000L);
	if (c->replaces)
		run.content = spool_new(c->directory);
	status = converse(&run, env, &err);
	if (err.text[0])
		trouble(r, err.text);
	else
		judge(&run, status, r);
	if (r->verdict == CHECK_PASS)
		r->content = run.content;
	else
		spool_free(run.content);
	buf_free(&run.text);
}

void check_outcome_free(struct check_outcome *r)
{
	buf_free(&r->text);
	spool_free(r->content);
	r->content = NULL;
}
