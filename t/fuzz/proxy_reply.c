/* A before-queue filter that says whatever it likes, in a conversation of a whole message. What the
 * client is told is a well-formed reply, and yes is only what the filter said in full.
 *
 * The first byte chooses how the filter's words are cut. */
// with: src/smtpd/proxy.c src/smtpd/proxy_chat.c src/smtpd/proxy_checks.c
#include "smtpd/proxy.h"

#include "log/log.h"
#include "loop/loop.h"
#include "smtpd/destination.h"
#include "smtpd/standalone.h"
#include "t/lib/fakeservice.h"
#include "t/lib/tmpconf.h"

bool standalone(void)
{
	return false;
}

bool content_is_local(struct session *s)
{
	(void)s;
	return true;
}

static str words;
static size_t piece;

static void answer_filter(struct stream *s)
{
	str heard;

	for (str rest = words; rest.n > 0; rest = str_from(rest, piece)) {
		str part = str_head(rest, piece);

		if (stream_write(s, part.p, part.n, FOREVER) != WAIT_OK ||
		    stream_flush(s, FOREVER) != WAIT_OK)
			return;
	}
	shutdown(s->fd, SHUT_WR);
	while (stream_peek(s, 1, &heard, FOREVER) == WAIT_OK)
		stream_consume(s, heard.n);
}

static struct fakeservice filter = {.path = "filter", .serve = answer_filter};

/* Reply-line = code ( "-" / SP ) text, one code in all of them */
static void check_reply(str text)
{
	str rest = text, line;

	while (str_split(&rest, '\n', &line)) {
		if (line.n < 3 || memcmp(line.p, text.p, 3) != 0)
			abort();
		if (line.n > 3 && (line.p[3] == '-') == (rest.p == NULL))
			abort();
		for (size_t i = 0; i < line.n; i++)
			if ((unsigned char)line.p[i] < ' ' || line.p[i] == 127)
				abort();
	}
}

static void converse(struct session *s)
{
	struct proxy *p = proxy_open(s, STR("FROM:<a@b.test>"));
	bool good =
	    !proxy_failed(p) && proxy_rcpt(p, STR("TO:<x@far.test>")) == 0 && proxy_data(p) == 0;

	if (good) {
		proxy_put(p, STR("x\r\n"));
		good = proxy_end(p) == 0;
	}
	check_reply(good ? proxy_reply(p) : proxy_refusal(p));
	if ((good ? proxy_reply(p) : proxy_refusal(p)).p[0] == '2' && !good)
		abort();
	if (good && (proxy_reply(p).p[0] != '2' || str_find(words, STR("354")) < 0))
		abort();
	proxy_close(p);
}

static void run(void *arg)
{
	struct session s = {.protocol = "ESMTP",
	    .client = {
		.name = "x.test", .addr = "2001:db8::1", .port = "1", .namaddr = "x.test[]"}};

	(void)arg;
	fakeservice_start(&filter);
	converse(&s);
	fakeservice_stop(&filter);
	loop_stop();
}

static void say_nothing(const char *tag, str text)
{
	(void)tag;
	(void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready) {
		tmpconf("smtpd_proxy_filter = unix:filter\nsmtpd_proxy_timeout = 10s\n");
		log_open("smtpd", false);
		log_writer(say_nothing);
		loop_init();
		proxy_setup();
		ready = true;
	}
	if (size < 1)
		return 0;
	piece = data[0] ? data[0] : 4096;
	words = str_mem(data + 1, size - 1);
	loop_run(run, NULL);
	return 0;
}
