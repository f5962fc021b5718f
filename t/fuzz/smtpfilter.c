/* A client of smtpfilter that says whatever it likes; the server behind is played by this process.
 * Replies stay well-formed lines, and the server behind never sees a line that could be two, or
 * content without its end.
 *
 * The first byte chooses how the input is cut. */
// with: filters/smtpfilter/session.c filters/smtpfilter/content.c filters/smtpfilter/next.c filters/check/check.c
#include "filters/smtpfilter/smtpfilter.h"

#include "log/log.h"
#include "loop/loop.h"
#include "t/lib/fakeservice.h"
#include "t/lib/fuzzpeer.h"
#include "t/lib/tmpconf.h"

struct setup setup = {.check = {.seconds = 60, .directory = ".", .errors = -1}};

static unsigned rcpts;

static str answer_to(str line, bool *content)
{
	if (!str_starts_nocase(line, STR("RCPT")) && !str_starts_nocase(line, STR("DATA")) &&
	    !str_starts_nocase(line, STR("NOOP")))
		rcpts = 0; /* more often than a real server does */
	if (str_starts_nocase(line, STR("EHLO")))
		return STR(
		    "250-next\r\n250-SIZE 500\r\n250-XFORWARD NAME ADDR HELO\r\n250 STARTTLS\r\n");
	if (str_starts_nocase(line, STR("RCPT")) && str_find(line, STR("no")) >= 0)
		return STR("550-5.1.1 a\r\n550 5.1.1 b\r\n");
	if (str_starts_nocase(line, STR("MAIL")) && str_find(line, STR("odd")) >= 0)
		return STR("what\r\n250 ok\r\n");
	if (str_starts_nocase(line, STR("RCPT")))
		rcpts++;
	if (str_starts_nocase(line, STR("DATA"))) {
		*content = rcpts > 0 && line.n == 6;
		return *content ? STR("354 go\r\n") : STR("554 no recipients\r\n");
	}
	return STR("250 ok\r\n");
}

static void answer_next(struct stream *s)
{
	str line, say = STR("220 next\r\n");
	bool content = false;

	rcpts = 0;
	while (stream_write(s, say.p, say.n, FOREVER) == WAIT_OK &&
	       stream_flush(s, FOREVER) == WAIT_OK &&
	       stream_gets(s, 1 << 20, &line, FOREVER) == WAIT_OK) {
		if (!str_ends(line, STR("\r\n")) ||
		    (!content && str_chr(line, '\r') + 2 < (ptrdiff_t)line.n))
			abort();
		if (!content)
			say = answer_to(line, &content);
		else if (str_eq(line, STR(".\r\n")))
			content = false, rcpts = 0, say = STR("250 taken\r\n");
		else
			say = STR("");
	}
	if (content)
		abort();
}

static struct fakeservice next_service = {.path = "next", .serve = answer_next};

static void session(void *arg)
{
	struct fuzzpeer *in = arg;
	struct stream *server;
	struct scope scope;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	fakeservice_start(&next_service);
	in->io = stream_new(pair[0]);
	server = stream_new(pair[1]);
	scope_init(&scope);
	co_start(&scope, "send", fuzzpeer_speak, in);
	co_start(&scope, "read", fuzzpeer_hear, in);
	session_serve(server);
	stream_free(server);
	scope_join(&scope);
	stream_free(in->io);
	fuzzpeer_check_replies(buf_view(&in->heard));
	buf_free(&in->heard);
	fakeservice_stop(&next_service);
	loop_stop();
}

static void start(void)
{
	static bool started;
	struct err err;

	if (started)
		return;
	started = true;
	tmpconf("");
	log_open("smtpfilter", false);
	log_writer(fuzzpeer_quiet);
	loop_init();
	setup.next_name = "unix:next";
	if (endpoint_parse(&setup.next, STR("unix:next"), &err) < 0)
		abort();
	sema_init(&setup.checks, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzpeer in;

	if (size < 1)
		return 0;
	start();
	in = (struct fuzzpeer){
	    .words = str_mem(data + 1, size - 1), .piece = data[0] ? data[0] : 4096};
	loop_run(session, &in);
	return 0;
}
