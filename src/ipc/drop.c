#include "ipc/drop.h"

#include "base/file.h"
#include "base/mem.h"
#include "loop/proc.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct drop {
	pid_t pid;
	struct stream *to, *from; /* its standard input and output */
	struct err err;		  /* why it could not be started */
	bool failed;
};

static int64_t soon(void)
{
	return deadline_in(conf.ipc_timeout * 1000L);
}

struct drop *drop_open(void)
{
	struct drop *d = mem_zero(sizeof(*d));
	struct buf path = {0};
	const char *argv[] = {NULL, "-r", NULL};
	struct proc_opts o = {.argv = argv};
	int in[2], out[2];

	d->pid = -1;
	if (pipe2(in, O_CLOEXEC) < 0) {
		err_errno(&d->err, errno, "pipe");
		return d;
	}
	if (pipe2(out, O_CLOEXEC) < 0) {
		err_errno(&d->err, errno, "pipe");
		close(in[0]);
		close(in[1]);
		return d;
	}
	buf_printf(&path, "%s/postdrop", conf.command_directory);
	argv[0] = path.p;
	o.fds[0] = in[0];
	o.fds[1] = out[1];
	o.fds[2] = STDERR_FILENO;
	d->pid = proc_start(&o, &d->err);
	close(in[0]);
	close(out[1]);
	d->to = stream_new(in[1]);
	d->from = stream_new(out[0]);
	buf_free(&path);
	return d;
}

void drop_put(struct drop *d, enum msg type, const void *msg)
{
	if (d->pid > 0 && !d->failed && ipc_send(d->to, type, msg, soon()) != WAIT_OK)
		d->failed = true;
}

void drop_content(struct drop *d, str wire)
{
	while (wire.n > 0) {
		struct ipc_cleanup_content m = {.data = str_head(wire, 64 * 1024)};
		drop_put(d, MSG_CLEANUP_CONTENT, &m);
		wire = str_from(wire, m.data.n);
	}
}

static int reap(struct drop *d)
{
	int status = 0;

	stream_free(d->to);
	stream_free(d->from);
	d->to = d->from = NULL;
	if (d->pid <= 0 || proc_wait(d->pid, &status, soon()) != WAIT_OK)
		return EX_SOFTWARE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

int drop_commit(struct drop *d, struct buf *id, struct buf *text)
{
	struct ipc_drop_end end;
	struct ipc_msg answer;
	int status = EX_TEMPFAIL;

	drop_put(d, MSG_DROP_END, &end);
	if (d->pid > 0)
		stream_flush(d->to, soon());
	if (d->pid > 0 && ipc_expect(d->from, MSG_DROP_DONE, &answer, soon(), &d->err) == WAIT_OK) {
		status = (int)answer.drop_done.status;
		if (id)
			buf_str(id, answer.drop_done.queue_id);
		if (text)
			buf_str(text, answer.drop_done.text);
		reap(d);
	} else {
		int code = reap(d);
		status = code ? code : EX_SOFTWARE;
		if (text)
			buf_printf(
			    text, "postdrop: %s", d->err.text[0] ? d->err.text : "it ended early");
	}
	free(d);
	return status;
}

void drop_abort(struct drop *d)
{
	reap(d);
	free(d);
}
