/* The rewrite client: questions, cache, a service that comes and goes. */
#include "ipc/rewrite.h"
#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "ipc/msg.h"
#include "log/log.h"
#include <errno.h>
#include <sys/stat.h>

static int questions, hang_up_after = -1;
static uint32_t answer_flags = RESOLVE_DEFAULT;
static bool nonsense;

static void answer(struct stream *s, const struct ipc_msg *m)
{
	struct buf text = {0};
	struct ipc_rewritten w;
	struct ipc_resolved r;

	if (nonsense) {
		struct ipc_cleanup_end end;

		ipc_send_now(s, MSG_CLEANUP_END, &end, FOREVER);
		return;
	}
	if (m->type == MSG_REWRITE) {
		buf_printf(
		    &text, "%.*s@%.*s", STR_FMT(m->rewrite.address), STR_FMT(m->rewrite.context));
		w.address = buf_view(&text);
		ipc_send_now(s, MSG_REWRITTEN, &w, FOREVER);
	} else {
		buf_printf(
		    &text, "%.*s%s", STR_FMT(m->resolve.address), m->resolve.verify ? "!" : "");
		r.flags = answer_flags;
		r.transport = STR("smtp");
		r.nexthop = m->resolve.sender;
		r.recipient = buf_view(&text);
		ipc_send_now(s, MSG_RESOLVED, &r, FOREVER);
	}
	buf_free(&text);
}

static void serve(struct stream *s)
{
	struct ipc_msg m;
	struct err err;

	for (int i = 0; i != hang_up_after && ipc_recv(s, &m, FOREVER, &err) == WAIT_OK; i++) {
		questions++;
		answer(s, &m);
	}
}

static struct fakeservice service = {.path = "private/rewrite", .serve = serve};
static struct arena arena;

static const char *resolve(const char *sender, const char *address, bool verify, int64_t ms)
{
	struct resolved r;
	struct err err;

	if (rewrite_resolve(
		str_of(sender), str_of(address), verify, &arena, &r, deadline_in(ms), &err) < 0)
		return arena_printf(&arena, "error %s", err.text);
	return arena_printf(&arena, "%x %.*s %.*s %.*s", r.flags, STR_FMT(r.transport),
	    STR_FMT(r.nexthop), STR_FMT(r.recipient));
}

static const char *rewrite(const char *context, const char *address)
{
	struct err err;
	str out;

	if (rewrite_address(
		str_of(context), str_of(address), &arena, &out, deadline_in(2000), &err) < 0)
		return arena_printf(&arena, "error %s", err.text);
	return out.p;
}

static void asking(void)
{
	is_cstr(resolve("s@x", "r@y", false, 2000), "1000 smtp s@x r@y", "resolve");
	is_cstr(resolve("", "r@y", false, 2000), "1000 smtp  r@y", "the null sender");
	is_cstr(resolve("s@x", "r@y", true, 2000), "1000 smtp s@x r@y!", "verify");
	is_cstr(rewrite("local", "joe"), "joe@local", "rewrite, local");
	is_cstr(rewrite("remote", "joe"), "joe@remote", "rewrite, remote");
	is_int(questions, 5, "each is another question");
	is_cstr(resolve("s@x", "r@y", false, 2000), "1000 smtp s@x r@y", "resolve again");
	is_cstr(resolve("s@", "xr@y", false, 2000), "1000 smtp s@ xr@y", "keys are not mixed up");
	is_cstr(rewrite("local", "joe"), "joe@local", "rewrite again");
	is_int(questions, 6, "known answers come from the cache");
	co_sleep(1100);
	resolve("s@x", "r@y", false, 2000);
	is_int(questions, 7, "for a second");
	is_int(service.connections, 1, "over one connection");
	answer_flags = RESOLVE_FAIL;
	resolve("", "fail@y", false, 2000);
	resolve("", "fail@y", false, 2000);
	is_int(questions, 9, "failures are not cached");
	answer_flags = RESOLVE_DEFAULT;
}

static void many(void)
{
	char address[32];
	int before = questions, bad = 0;

	for (int i = 0; i < 10000; i++) {
		snprintf(address, sizeof address, "u%d@y", i);
		bad += strncmp(resolve("", address, false, 2000), "1000 smtp", 9) != 0;
		arena_reset(&arena);
	}
	is_int(bad, 0, "ten thousand addresses");
	is_int(questions - before, 10000, "asked once each");
}

static void start_later(void *arg)
{
	co_sleep(200);
	fakeservice_start(arg);
}

static void coming_and_going(void)
{
	struct scope s;

	fakeservice_stop(&service);
	fakeservice_start(&service);
	is_cstr(resolve("", "a@b", false, 2000), "1000 smtp  a@b",
	    "a dead kept connection is replaced");
	fakeservice_stop(&service);
	ok(strncmp(resolve("", "c@d", false, 120), "error service rewrite: ", 23) == 0,
	    "no service: an error at the deadline");
	scope_init(&s);
	co_start(&s, "later", start_later, &service);
	is_cstr(resolve("", "e@f", false, 3000), "1000 smtp  e@f", "a service that comes late");
	scope_join(&s);
	fakeservice_stop(&service);
	hang_up_after = 0;
	fakeservice_start(&service);
	ok(strncmp(resolve("", "g@h", false, 60000), "error ", 6) == 0, "a service that hangs up");
	hang_up_after = -1;
	nonsense = true;
	ok(strncmp(resolve("", "g@h", false, 60000), "error ", 6) == 0,
	    "a service that talks nonsense");
	nonsense = false;
	is_cstr(resolve("", "g@h", false, 2000), "1000 smtp  g@h", "and recovers");
}

static void run(void *arg)
{
	(void)arg;
	fakeservice_start(&service);
	asking();
	many();
	coming_and_going();
	fakeservice_stop(&service);
}

int main(void)
{
	tmpconf("ipc_idle = 2s\n");
	mkdir("private", 0700);
	log_early("test");
	loop_init();
	loop_run(run, NULL);
	arena_free(&arena);
	return done();
}
