#include "service/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define OUTPUT_MOST ((uint64_t)16 << 20) /* a command that prints more loses its reader */
#define INPUT_GRACE                                                                                \
	10000 /* ms that a child of an ended command may take for the rest of the input */

struct run {
	const struct command *c;
	struct command_result *r;
	struct stream *in, *out; /* its input and output, our ends */
	pid_t pid;
	struct scope feeding, reading;
	struct cond fed;
	bool feeding_done, input_failed;
};

static void kill_it(struct run *run)
{
	proc_kill(run->pid, SIGKILL);
}

/* A command that was to be killed must not see the end of its input before. */
static void end_input(struct run *run)
{
	if (run->pid > 0)
		proc_let_go(run->pid);
	stream_free(run->in);
	run->in = NULL;
}

static void feed_main(void *arg)
{
	struct run *run = arg;

	if (run->c->feed(run->in, run->c->arg, &run->r->err) < 0) {
		run->input_failed = true;
		if (run->pid > 0)
			kill_it(run);
	}
	if (!co_cancelled())
		end_input(run);
	run->feeding_done = true;
	cond_wake_all(&run->fed);
}

static void keep_output(struct run *run, str data)
{
	struct buf *kept = &run->r->output;

	buf_str(kept, str_head(data, COMMAND_OUTPUT - kept->n));
}

static void read_main(void *arg)
{
	struct run *run = arg;
	enum wait w = WAIT_OK;
	str data;

	while (w == WAIT_OK && run->out->bytes_in < OUTPUT_MOST) {
		w = stream_peek(run->out, 1, &data, FOREVER);
		if (w != WAIT_OK)
			break;
		keep_output(run, data);
		stream_consume(run->out, data.n);
		w = co_yield (); /* to the others, should there always be more */
	}
	if (w == WAIT_CANCEL)
		return; /* the command has ended: drain() takes the rest */
	stream_free(run->out);
	run->out = NULL;
}

/* What lies in the pipe; children of the command may keep its end open. */
static void drain(struct run *run)
{
	char piece[COMMAND_OUTPUT];
	ssize_t n;
	str data;

	if (!run->out)
		return;
	if (stream_peek(run->out, 0, &data, FOREVER) == WAIT_OK)
		keep_output(run, data);
	while (
	    run->r->output.n < COMMAND_OUTPUT && (n = read(run->out->fd, piece, sizeof piece)) > 0)
		keep_output(run, str_mem(piece, (size_t)n));
}

static void finish_input(struct run *run, int64_t deadline)
{
	deadline = deadline_min(deadline, deadline_in(INPUT_GRACE));
	while (run->r->status == 0 && !run->feeding_done)
		if (cond_wait(&run->fed, deadline) != WAIT_OK)
			break;
}

static void nobody_asks(pid_t pid, int status, void *arg)
{
	(void)pid, (void)status, (void)arg;
}

static void killed(struct run *run, enum command_end why)
{
	/* One that has all of its input may still tidy up. */
	proc_kill(run->pid, why == COMMAND_CANCELLED && run->feeding_done ? SIGTERM : SIGKILL);
	proc_on_exit(run->pid, nobody_asks, NULL);
	run->r->end = why;
}

static void wait_for_end(struct run *run)
{
	int64_t deadline = deadline_in(run->c->time_limit);
	enum wait w = proc_wait(run->pid, &run->r->status, deadline);

	if (w == WAIT_OK)
		finish_input(run, deadline);
	else
		killed(run, w == WAIT_TIMEOUT ? COMMAND_TIMEOUT : COMMAND_CANCELLED);
	if (run->input_failed)
		run->r->end = COMMAND_NO_INPUT;
}

static int start(struct run *run, int in, int out)
{
	const struct command *c = run->c;
	struct proc_opts o = {.argv = c->argv,
	    .env = c->env,
	    .dir = c->dir,
	    .root = c->root,
	    .set_ids = c->set_ids,
	    .uid = c->uid,
	    .gid = c->gid,
	    .new_session = true,
	    .guarded = true,
	    .held = run->in ? &run->in->fd : NULL,
	    .fds = {in, out, out}};

	run->pid = proc_start(&o, &run->r->err);
	return run->pid < 0 ? -1 : 0;
}

/* Input that the pipe has room for is complete before there is a command. */
static int feed_first(struct run *run)
{
	enum wait w;

	co_start(&run->feeding, "command input", feed_main, run);
	w = co_yield ();
	if (run->input_failed)
		run->r->end = COMMAND_NO_INPUT;
	else if (w != WAIT_OK)
		run->r->end = COMMAND_CANCELLED;
	else
		return 0;
	return -1;
}

static void attend(struct run *run, int in, int out)
{
	bool runs;

	scope_init(&run->feeding);
	scope_init(&run->reading);
	cond_init(&run->fed);
	runs = feed_first(run) == 0 && start(run, in, out) == 0;
	close(in);
	close(out);
	if (runs) {
		run->r->end = COMMAND_ENDED;
		co_start(&run->reading, "command output", read_main, run);
		wait_for_end(run);
	}
	scope_end(&run->feeding);
	scope_end(&run->reading);
	if (runs) {
		drain(run);
		proc_let_go(run->pid);
	}
}

static int make_pipes(int in[2], int out[2], struct err *err)
{
	int code;

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_errno(err, errno, "make a pipe");
	if (pipe2(out, O_CLOEXEC) == 0)
		return 0;
	code = errno;
	close(in[0]);
	close(in[1]);
	return err_errno(err, code, "make a pipe");
}

void command_run(const struct command *c, struct command_result *r)
{
	struct run run = {.c = c, .r = r, .pid = -1};
	int in[2], out[2];

	*r = (struct command_result){.end = COMMAND_NOT_STARTED};
	if (make_pipes(in, out, &r->err) < 0)
		return;
	run.in = stream_new(in[1]);
	run.out = stream_new(out[0]);
	attend(&run, in[0], out[1]);
	stream_free(run.in);
	stream_free(run.out);
}
