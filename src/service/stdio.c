/* "sendmail -bs": one session between a person's stdin and stdout. Pipes, terminals and files are
 * not made non-blocking (they are shared with the caller); threads read and write them. */
#include "log/log.h"
#include "loop/work.h"
#include "service/service_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define STDIO_CHUNK 8192

struct pump {
	int fd;
	char bytes[STDIO_CHUNK];
	size_t n;
	ssize_t result;
	struct stream *session; /* our end of the socket pair whose other end is the session's */
};
static struct pump input, output;

static void read_chunk(void *arg)
{
	struct pump *p = arg;

	do
		p->result = read(p->fd, p->bytes, sizeof p->bytes);
	while (p->result < 0 && errno == EINTR);
}

static void write_chunk(void *arg)
{
	struct pump *p = arg;

	for (size_t done = 0; done < p->n; done += (size_t)p->result)
		while ((p->result = write(p->fd, p->bytes + done, p->n - done)) < 0)
			if (errno != EINTR)
				return;
}

static void pump_input(void *arg)
{
	(void)arg;
	for (;;) {
		work_run(read_chunk, &input);
		if (input.result <= 0)
			break;
		if (stream_write(input.session, input.bytes, (size_t)input.result, FOREVER) !=
			WAIT_OK ||
		    stream_flush(input.session, FOREVER) != WAIT_OK)
			return;
	}
	shutdown(input.session->fd, SHUT_WR);
}

static void pump_output(void *arg)
{
	str data;

	(void)arg;
	while (stream_peek(output.session, 1, &data, FOREVER) == WAIT_OK) {
		output.n = data.n < STDIO_CHUNK ? data.n : STDIO_CHUNK;
		memcpy(output.bytes, data.p, output.n);
		stream_consume(output.session, output.n);
		work_run(write_chunk, &output);
		if (output.result < 0)
			break;
	}
}

static bool same_socket(void)
{
	struct stat a, b;

	return fstat(0, &a) == 0 && fstat(1, &b) == 0 && S_ISSOCK(a.st_mode) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void serve(struct stream *client)
{
	struct hostaddr peer;
	enum peer_kind kind = session_peer(client->fd, &peer);

	worker.sessions++;
	if (kind != PEER_GONE)
		worker.service->serve(client, kind == PEER_INET ? &peer : NULL);
	stream_free(client);
	worker.sessions--;
}

void stdio_serve(void)
{
	struct scope out;
	int pair[2];

	if (same_socket()) {
		serve(stream_new(dup(0)));
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		log_fatal("socketpair: %s", strerror(errno));
	input.fd = 0;
	output.fd = 1;
	input.session = output.session = stream_new(pair[0]);
	scope_init(&out);
	co_start(&out, "stdout", pump_output, NULL);
	co_start(&worker.scope, "stdin", pump_input, NULL);
	serve(stream_new(pair[1]));
	scope_join(&out);
	fflush(stdout);
	log_finish();
	_exit(0); /* a thread may still wait for input that nobody wants */
}
