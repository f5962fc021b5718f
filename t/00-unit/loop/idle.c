/* Waits for requests when the process wants to end: no request that has come is lost. */
#include "loop/idle.h"
#include "../../lib/tap.h"
#include "loop/loop.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct session {
	struct stream *io;
	int far;
	int served;
	enum wait end, later;
};

static void serve(void *arg)
{
	struct session *s = arg;
	str data;

	while ((s->end = idle_wait(s->io)) == WAIT_OK &&
	       stream_peek(s->io, 1, &data, deadline_in(5000)) == WAIT_OK) {
		stream_consume(s->io, data.n);
		s->later = co_sleep(1);
		s->served++;
	}
}

static void begin(struct session *s, struct scope *scope)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	*s = (struct session){.io = stream_new(pair[0]), .far = pair[1]};
	co_start(scope, "session", serve, s);
}

static void say(int fd)
{
	if (write(fd, "x", 1) != 1)
		abort();
}

static void want_end(int fd, void *arg)
{
	struct session *unseen = arg;
	char c;

	if (read(fd, &c, 1) != 1)
		return;
	say(unseen->far); /* it lies in the kernel: nobody was told of it yet */
	idle_end_all();
}

static void ends(void *arg)
{
	struct session quiet, asked, fresh, unseen;
	struct scope scope;
	struct watch *w;
	int signal[2];

	(void)arg;
	scope_init(&scope);
	begin(&quiet, &scope);
	begin(&asked, &scope);
	begin(&fresh, &scope);
	begin(&unseen, &scope);
	say(unseen.far);
	say(quiet.far);
	say(asked.far);
	co_sleep(20);
	is_int(quiet.served + asked.served, 2, "requests are served");
	if (pipe(signal) < 0)
		abort();
	w = watch_readable(signal[0], want_end, &unseen);
	say(asked.far); /* both are found in one turn of the loop */
	say(signal[1]);
	co_sleep(20);
	is_int(quiet.end, WAIT_CANCEL, "who has nothing to do ends");
	is_int(asked.served, 2, "a request that came at the same time is served");
	is_int(asked.later, WAIT_OK, "and not disturbed");
	is_int(asked.end, WAIT_CANCEL, "then its session ends");
	is_int(unseen.served, 2, "a request that nobody was told of yet is served");
	is_int(fresh.end, WAIT_OK, "who was not asked yet waits for the first request");
	say(fresh.far);
	scope_join(&scope);
	is_int(fresh.served, 1, "and serves it");
	is_int(fresh.later, WAIT_OK, "undisturbed");
	is_int(fresh.end, WAIT_CANCEL, "before it ends");
	watch_free(w);
	stream_free(quiet.io);
	stream_free(asked.io);
	stream_free(fresh.io);
	stream_free(unseen.io);
}

int main(void)
{
	loop_init();
	loop_run(ends, NULL);
	return done();
}
