/* The cleanup client: one write for a small message, early refusals, dead connections. */
#include "ipc/cleanup.h"
#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "base/mem.h"
#include "ipc/pool.h"
#include "log/log.h"
#include "param/param.h"
#include <sys/stat.h>
#include <unistd.h>

static struct {
	int messages;
	uint64_t content;
	struct buf begin, text, names;
	/* behaviour */
	int64_t refuse_after; /* bytes of content; -1: never */
	bool close_after_refusal, close_before_end, close_at_once;
	bool hang_up; /* once, when the next message comes over a kept connection, without reading
			 it */
	enum cleanup_status status;
	int milters;
} fake;

static void take_milters(struct stream *s)
{
	int fds[3];
	size_t n = stream_take_fds(s, fds, 3);

	fake.milters = (int)n;
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void note(const struct ipc_msg *m)
{
	buf_cstr(&fake.names, ipc_name(m->type));
	buf_char(&fake.names, ' ');
	if (m->type == MSG_CLEANUP_BEGIN) {
		fake.messages++;
		fake.content = 0;
		buf_clear(&fake.text);
		buf_clear(&fake.begin);
		buf_str(&fake.begin, m->cleanup_begin.queue_id);
	} else if (m->type == MSG_CLEANUP_CONTENT) {
		fake.content += m->cleanup_content.data.n;
		if (fake.text.n < 1000)
			buf_str(&fake.text, str_head(m->cleanup_content.data, 1000));
	}
}

static enum wait say_done(struct stream *s, enum cleanup_status status, const char *text)
{
	struct ipc_cleanup_done done = {.status = status,
	    .text = str_of(text),
	    .size = fake.content,
	    .milters = str_of(fake.milters ? "state" : "")};

	return ipc_send_now(s, MSG_CLEANUP_DONE, &done, FOREVER);
}

static void serve(struct stream *s)
{
	struct ipc_msg m;
	struct err err;

	if (fake.close_at_once)
		return;
	stream_accept_fds(s);
	while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK) {
		note(&m);
		if (m.type == MSG_CLEANUP_MILTER)
			take_milters(s);
		if (m.type == MSG_CLEANUP_CONTENT && fake.refuse_after >= 0 &&
		    (int64_t)fake.content >= fake.refuse_after) {
			say_done(s, CLEANUP_SIZE, "5.3.4 too big");
			if (fake.close_after_refusal)
				return;
			while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK)
				;
			return;
		}
		if (m.type == MSG_CLEANUP_END) {
			if (fake.close_before_end)
				return;
			say_done(s, fake.status, fake.status ? "4.3.0 hm" : "");
			if (fake.hang_up) {
				stream_wait_input(s, FOREVER);
				return;
			}
		}
	}
}

static struct fakeservice service = {.path = "public/cleanup", .serve = serve};

static struct cleanup *start(const char *id)
{
	struct ipc_env_sender sender = {.address = STR("s@x")};
	struct ipc_env_rcpt rcpt = {.address = STR("r@y")};
	struct cleanup *c = cleanup_open("public/cleanup", str_of(id), 1, CLEANUP_MASK_EXTERNAL);

	cleanup_put(c, MSG_ENV_SENDER, &sender);
	cleanup_attr(c, "client_name", STR("h"));
	cleanup_put(c, MSG_ENV_RCPT, &rcpt);
	return c;
}

static void small(void)
{
	struct buf text = {0};
	struct cleanup *c = start("ID1");

	cleanup_content(c, STR("Subject: x\r\n\r\n"));
	cleanup_line(c, "%s", "line");
	cleanup_line(c, ".%d", 1);
	cleanup_line(c, "%s", "");
	is_int(service.connections, 0, "nothing is sent before the end");
	is_int(cleanup_commit(c, &text), CLEANUP_OK, "verdict");
	is_int(text.n, 0, "no text");
	is_str(buf_view(&fake.names),
	    STR("CLEANUP_BEGIN ENV_SENDER ENV_ATTR ENV_RCPT CLEANUP_CONTENT CLEANUP_END "),
	    "messages; content in one");
	is_str(buf_view(&fake.text), STR("Subject: x\r\n\r\nline\r\n..1\r\n\r\n"),
	    "content; lines are stuffed");
	is_str(buf_view(&fake.begin), STR("ID1"), "queue ID");
	fake.status = CLEANUP_DEFER;
	is_int(cleanup_commit(start("ID2"), &text), CLEANUP_DEFER, "another verdict");
	is_str(buf_view(&text), STR("4.3.0 hm"), "its text");
	is_int(service.connections, 1, "the connection is kept");
	fake.status = CLEANUP_OK;
	cleanup_abort(start("ID3"));
	is_int(fake.messages, 2, "an aborted small message was never sent");
	buf_free(&text);
}

static enum cleanup_status send_large(size_t chunks, struct buf *text)
{
	char *chunk = mem_zero(10000);
	struct cleanup *c = start("LARGE");
	enum cleanup_status status;

	memset(chunk, 'x', 10000);
	for (size_t i = 0; i < chunks; i++)
		cleanup_content(c, str_mem(chunk, 10000));
	status = cleanup_commit(c, text);
	free(chunk);
	return status;
}

static void large(void)
{
	char *whole = mem_zero(3000000);
	struct buf text = {0};
	struct cleanup *c;

	is_int(send_large(500, &text), CLEANUP_OK, "large message");
	is_int((long long)fake.content, 5000000, "arrived whole");
	c = start("WHOLE");
	cleanup_content(c, str_mem(whole, 3000000));
	is_int(cleanup_commit(c, &text), CLEANUP_OK, "in one call");
	is_int((long long)fake.content, 3000000, "arrived whole");
	free(whole);
	c = start("ABORT");
	for (int i = 0; i < 100000; i++)
		cleanup_content(c, STR("0123456789"));
	cleanup_abort(c);
	is_int(send_large(1, &text), CLEANUP_OK, "after an abort in the middle");
	fake.refuse_after = 300000;
	for (int i = 0; i < 2; i++) {
		buf_clear(&text);
		is_int(send_large(500, &text), CLEANUP_SIZE, "refused early");
		is_str(buf_view(&text), STR("5.3.4 too big"), "with its text");
		ok(fake.content < 1000000, "the rest is not sent");
		fake.close_after_refusal = true;
	}
	fake.refuse_after = 1;
	is_int(send_large(5, &text), CLEANUP_SIZE, "a small message, refused early");
	fake.refuse_after = -1;
	buf_free(&text);
}

static void dead(void)
{
	struct buf text = {0};
	int before;

	is_int(send_large(1, &text), CLEANUP_OK, "a connection is kept");
	fakeservice_stop(&service);
	fakeservice_start(&service);
	before = fake.messages;
	is_int(send_large(1, &text), CLEANUP_OK, "a dead kept connection is replaced");
	is_int(fake.messages - before, 1, "the message arrives once");
	fake.close_before_end = true;
	before = fake.messages;
	is_int(send_large(1, &text), CLEANUP_WRITE, "a service that dies at the end");
	is_int(fake.messages - before, 1, "is not asked again: it may have queued the message");
	before = fake.messages;
	is_int(send_large(50, &text), CLEANUP_WRITE, "the same with a large message");
	is_int(fake.messages - before, 1, "is tried once");
	fake.close_before_end = false;
	is_int(send_large(1, &text), CLEANUP_OK, "a connection is kept");
	fake.close_before_end = true;
	before = fake.messages;
	is_int(send_large(7, &text), CLEANUP_WRITE, "a large message, read and not answered");
	is_int(fake.messages - before, 1, "is not sent again");
	fake.close_before_end = false;
	fake.close_at_once = true;
	is_int(send_large(1, &text), CLEANUP_WRITE, "a service that hangs up");
	is_int(send_large(50, &text), CLEANUP_WRITE, "a service that hangs up, large message");
	fake.close_at_once = false;
	fakeservice_stop(&service);
	is_int(send_large(1, &text), CLEANUP_WRITE, "no service");
	is_int(send_large(50, &text), CLEANUP_WRITE, "no service, large message");
	fakeservice_start(&service);
	is_int(send_large(1, &text), CLEANUP_OK, "and back");
	is_int(text.n, 0, "no texts");
	buf_free(&text);
}

/* The service ends its idle connection in the moment when the next message comes. */
static void hangs_up(void)
{
	static const size_t sizes[] = {1, 7, 14, 50, 500};
	struct buf text = {0};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int before = fake.messages;

		fake.hang_up = true;
		is_int(send_large(1, &text), CLEANUP_OK, "a connection is kept");
		fake.hang_up = false;
		is_int(send_large(sizes[i], &text), CLEANUP_OK, "it is closed, and replaced");
		is_int(fake.messages - before, 2, "the message arrives once");
		is_int((long long)fake.content, (long long)sizes[i] * 10000, "and whole");
	}
	buf_free(&text);
}

static enum cleanup_status send_with_milters(
    struct cleanup_handover *h, size_t chunks, struct buf *text)
{
	struct cleanup *c = start("MILTER");

	for (size_t i = 0; i < chunks * 10000; i++)
		cleanup_content(c, STR("0123456789"));
	cleanup_milters(c, h);
	return cleanup_commit(c, text);
}

static void milters(void)
{
	int fds[2] = {1, 2}, before;
	struct cleanup_handover h = {.chain = STR("chain"), .fds = fds, .nfds = 2};
	struct buf text = {0};

	for (size_t chunks = 0; chunks < 2; chunks++) {
		is_int(send_with_milters(&h, chunks, &text), CLEANUP_OK, "with milters");
		ok(h.taken, "they were taken");
		is_int(fake.milters, 2, "descriptors came");
		is_str(buf_view(&h.state), STR("state"), "their state comes back");
	}
	fakeservice_stop(&service);
	fakeservice_start(&service);
	is_int(send_with_milters(&h, 0, &text), CLEANUP_OK, "a dead kept connection is replaced");
	ok(h.taken && fake.milters == 2, "milters go along");
	fake.close_before_end = true;
	before = fake.messages;
	is_int(send_with_milters(&h, 0, &text), CLEANUP_WRITE, "a service that dies at the end");
	is_int(fake.messages - before, 1, "is not asked twice: milters would see it twice");
	ok(h.taken && h.state.n == 0, "they are lost");
	fake.close_before_end = false;
	fakeservice_stop(&service);
	is_int(send_with_milters(&h, 0, &text), CLEANUP_WRITE, "no service");
	ok(!h.taken, "milters were not touched");
	fakeservice_start(&service);
	fake.refuse_after = 1;
	is_int(send_with_milters(&h, 100, &text), CLEANUP_SIZE, "refused early");
	ok(!h.taken, "milters were not touched");
	fake.refuse_after = -1;
	buf_free(&h.state);
	buf_free(&text);
}

static void idle(void)
{
	struct ipc_pool *p = ipc_pool_new("public/cleanup", 2);
	struct ipc_cleanup_end end;
	struct stream *s[3];
	struct err err;
	bool fresh;

	for (int i = 0; i < 3; i++) {
		s[i] = ipc_pool_get(p, false, &fresh, deadline_in(1000), &err);
		ok(s[i] && fresh, "fresh connection");
	}
	for (int i = 0; i < 3; i++)
		ipc_pool_put(p, s[i]);
	ok(ipc_pool_get(p, false, &fresh, deadline_in(1000), &err) == s[2] && !fresh,
	    "the youngest is used first");
	ipc_pool_put(p, s[2]);
	co_sleep((conf.ipc_idle + 1) * 1000);
	s[0] = ipc_pool_get(p, false, &fresh, deadline_in(1000), &err);
	ok(s[0] && fresh, "idle ones were closed");
	ipc_send_now(s[0], MSG_CLEANUP_END, &end, deadline_in(5000));
	is_int(stream_wait_input(s[0], deadline_in(5000)), WAIT_OK, "a service talks unasked");
	ipc_pool_put(p, s[0]);
	s[0] = ipc_pool_get(p, false, &fresh, deadline_in(1000), &err);
	ok(s[0] && fresh, "that would be taken for the next answer: it is not used again");
	ipc_pool_drop(p, s[0]);
	ipc_pool_free(p);
}

static void run(void *arg)
{
	(void)arg;
	fakeservice_start(&service);
	small();
	large();
	dead();
	hangs_up();
	milters();
	idle();
	fakeservice_stop(&service);
}

int main(void)
{
	fake.refuse_after = -1;
	tmpconf("ipc_idle = 1s\n");
	mkdir("public", 0700);
	log_early("test");
	loop_init();
	loop_run(run, NULL);
	buf_free(&fake.begin);
	buf_free(&fake.text);
	buf_free(&fake.names);
	return done();
}
