/* What a switch, a request over a socket pair, and a coroutine cost.
 * cc -O2 -D_GNU_SOURCE -Isrc t/bench/loop_switch.c src/base/?*.c src/loop/?*.c -luv -lpthread */
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void report(const char *what, int64_t start, long n)
{
	printf("%-28s %8.1f ns\n", what, (double)(clock_mono_us() - start) * 1000 / (double)n);
}

static void yielder(void *arg)
{
	for (int i = 0; i < 1000000; i++)
		co_yield ();
	(void)arg;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void server(void *arg)
{
	struct stream *s = arg;
	str line;

	while (stream_gets(s, 100, &line, deadline_in(5000)) == WAIT_OK) {
		stream_write(s, "250 OK\r\n", 8, FOREVER);
		stream_flush(s, deadline_in(5000));
	}
	stream_free(s);
}

static void client(void *arg)
{
	struct stream *s = arg;
	str line;

	for (int i = 0; i < 2000; i++) {
		stream_puts(s, "NOOP\r\n", FOREVER);
		stream_flush(s, deadline_in(5000));
		stream_gets(s, 100, &line, deadline_in(5000));
	}
	stream_free(s);
}

static void sessions(int n)
{
	struct scope s;
	char what[64];
	int64_t start;
	int fds[2];

	scope_init(&s);
	for (int i = 0; i < n; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
			abort();
		co_start(&s, "server", server, stream_new(fds[0]));
		co_start(&s, "client", client, stream_new(fds[1]));
	}
	start = clock_mono_us();
	scope_join(&s);
	snprintf(what, sizeof(what), "request, %d sessions", n);
	report(what, start, 2000L * n);
}

static void bench(void *arg)
{
	struct scope s;
	int64_t start = clock_mono_us();

	(void)arg;
	scope_init(&s);
	co_start(&s, "a", yielder, NULL);
	co_start(&s, "b", yielder, NULL);
	scope_join(&s);
	report("yield", start, 2000000);
	start = clock_mono_us();
	for (int i = 0; i < 10000; i++) {
		for (int k = 0; k < 100; k++)
			co_start(&s, "n", nothing, NULL);
		scope_join(&s);
	}
	report("coroutine", start, 1000000);
	sessions(1);
	sessions(100);
}

int main(void)
{
	loop_init();
	loop_run(bench, NULL);
	return 0;
}
