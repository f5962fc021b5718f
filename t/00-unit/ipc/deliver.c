/* The delivery agents' side: requests, records, statuses; delay numbers; notify_send. */
#include "ipc/deliver.h"
#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "base/clock.h"
#include "ipc/notify.h"
#include "log/log.h"
#include "table/table.h"
#include <sys/stat.h>
#include <unistd.h>

static struct buf logged; /* since the last request */
static char seen[256];

static void keep(const char *tag, str text)
{
	(void)tag;
	buf_str(&logged, text);
	buf_char(&logged, '\n');
}

/* --- the agent under test: what it does is told by the next hop */

static void agent(struct delivery *d)
{
	struct fate f = {.kind = RCPT_SENT, .dsn = "2.0.0", .relay = "virtual", .reason = "ok"};
	char content[6] = "";

	if (pread(d->content_fd, content, 5, (off_t)d->m.content_offset) != 5)
		strcpy(content, "?");
	snprintf(seen, sizeof seen, "%.*s %zu %.*s %s", STR_FMT(d->m.queue_id), d->nrcpts,
	    STR_FMT(delivery_attr(d, "client_name")), content);
	if (str_eq(d->m.nexthop, STR("nothing")))
		return;
	if (str_eq(d->m.nexthop, STR("bounce"))) {
		f = (struct fate){.kind = RCPT_BOUNCED,
		    .dsn = "5.1.1",
		    .relay = "none",
		    .mta_type = "dns",
		    .mta_name = "mx.example",
		    .diag_type = "smtp",
		    .diag = "550 5.1.1 no",
		    .reason = "no such user"};
	} else if (str_eq(d->m.nexthop, STR("badcode"))) {
		f = (struct fate){.kind = RCPT_DEFERRED, .dsn = "5.2.2", .reason = "later"};
		delivery_site_dead(d, "4.4.1", "connection refused");
	} else if (str_eq(d->m.nexthop, STR("reuse"))) {
		f.conn_use = 3;
		f.relay = "h[192.0.2.1]:25";
		d->conn_us = d->agent_us;
	}
	for (size_t i = 0; i < d->nrcpts; i++)
		delivery_fate(d, &d->rcpts[i], &f);
}

static void serve(struct stream *s)
{
	delivery_serve(s, agent);
}

static struct fakeservice service = {.path = "private/agent", .serve = serve};
static struct stream *conn;

struct answer {
	int statuses;
	uint32_t kind, site;
	char text[200];
};

static void request(const char *nexthop, uint32_t flags, const char *path, const char *orig)
{
	struct ipc_deliver m = {.queue_id = STR("QID"),
	    .path = str_of(path),
	    .content_offset = 3,
	    .content_length = 5,
	    .transport = STR("agent"),
	    .nexthop = str_of(nexthop),
	    .sender = STR("s@x"),
	    .flags = flags,
	    .arrival_us = clock_wall_us() - 12340000,
	    .active_us = clock_wall_us() - 10000};
	struct ipc_env_attr attr = {.name = STR("client_name"), .value = STR("h")};
	struct ipc_deliver_rcpt rcpt = {
	    .index = 7, .address = STR("a b@y"), .orig_address = str_of(orig)};
	struct ipc_deliver_go go;

	buf_clear(&logged);
	ipc_send(conn, MSG_DELIVER, &m, FOREVER);
	ipc_send(conn, MSG_ENV_ATTR, &attr, FOREVER);
	ipc_send(conn, MSG_DELIVER_RCPT, &rcpt, FOREVER);
	rcpt = (struct ipc_deliver_rcpt){
	    .index = 9, .address = STR("c@y"), .orig_address = STR("C@Y")};
	ipc_send(conn, MSG_DELIVER_RCPT, &rcpt, FOREVER);
	ipc_send_now(conn, MSG_DELIVER_GO, &go, FOREVER);
}

static struct answer ask(const char *nexthop, uint32_t flags, const char *path, const char *orig)
{
	struct answer a = {0};
	struct ipc_msg m;
	struct err err;

	request(nexthop, flags, path, orig);
	while (ipc_recv(conn, &m, deadline_in(5000), &err) == WAIT_OK) {
		struct ipc_rcpt_status *s = &m.rcpt_status;

		if (m.type == MSG_DELIVER_DONE) {
			a.site = m.deliver_done.site;
			return a;
		}
		a.statuses++;
		a.kind = s->kind;
		snprintf(a.text, sizeof a.text, "%u %.*s %.*s %.*s;%.*s %.*s;%.*s %.*s", s->index,
		    STR_FMT(s->dsn), STR_FMT(s->action), STR_FMT(s->mta_type), STR_FMT(s->mta_name),
		    STR_FMT(s->diag_type), STR_FMT(s->diag), STR_FMT(s->reason));
	}
	strcpy(a.text, "no answer");
	return a;
}

static bool has(const char *text)
{
	bool found = str_find(buf_view(&logged), str_of(text)) >= 0;

	if (!found)
		printf("# log: %s\n", buf_text(&logged));
	return found;
}

static void requests(void)
{
	struct answer a = ask("deliver", 0, "file", "");

	is_cstr(seen, "QID 2 h mail\n", "the agent sees the request");
	is_int(a.statuses, 2, "a status for each recipient");
	is_int(a.kind, RCPT_SENT, "kind");
	is_cstr(a.text, "9 2.0.0  ; ; ok", "status");
	is_int(a.site, 0, "site is well");
	ok(has("QID: to=<\"a b\"@y>, relay=virtual, delay=12, delays=12/0.0"), "record");
	ok(has("QID: to=<c@y>, relay=virtual, delay=12, delays=12/0.0"),
	    "orig_to is left out when only letter case differs");
	ok(has(", dsn=2.0.0, status=sent (ok)\n"), "its end");
	ask("reuse", 0, "file", "o p@z");
	ok(has("to=<\"a b\"@y>, orig_to=<\"o p\"@z>, relay=h[192.0.2.1]:25, conn_use=3, delay="),
	    "orig_to, conn_use");
	a = ask("bounce", 0, "file", "");
	is_int(a.kind, RCPT_BOUNCED, "bounce");
	is_cstr(a.text, "9 5.1.1  dns;mx.example smtp;550 5.1.1 no no such user", "its status");
	ok(has("relay=none, delay=12, delays=12/0.01/0/0, dsn=5.1.1, status=bounced (no such "
	       "user)") ||
		has("dsn=5.1.1, status=bounced (no such user)"),
	    "its record");
	a = ask("badcode", 0, "file", "");
	ok(has("warning: defer_append: ignoring dsn code \"5.2.2\""), "a code of the wrong class");
	ok(has("relay=none") && has("dsn=4.0.0, status=deferred (later)"),
	    "becomes the general one");
	is_int(a.site, 1, "dead site");
	a = ask("deliver", DELIVER_PROBE, "file", "");
	ok(has("status=deliverable (ok)") && strstr(a.text, "deliverable"), "probe");
	ask("bounce", DELIVER_PROBE, "file", "");
	ok(has("dsn=5.1.1, status=undeliverable (no such user)"), "probe that fails");
	a = ask("nothing", 0, "file", "");
	ok(a.statuses == 2 && a.kind == RCPT_DEFERRED && has("left recipients without a status"),
	    "an agent that forgets recipients");
	a = ask("deliver", 0, "missing", "");
	ok(a.statuses == 2 && a.kind == RCPT_DEFERRED &&
		has("status=deferred (queue file read error)"),
	    "content that cannot be read");
}

/* Nobody would record the result: the next queue manager has the message delivered. */
static void nobody_waits(void)
{
	struct stream *before = conn;
	struct ipc_msg m;
	struct err err;

	conn = stream_connect_unix("private/agent", deadline_in(5000), &err);
	is_int(ipc_expect(conn, MSG_DELIVER_READY, &m, deadline_in(5000), &err), WAIT_OK, "ready");
	*seen = 0;
	request("deliver", 0, "file", "");
	stream_free(conn);
	conn = before;
	ask("missing", 0, "missing", ""); /* comes behind it */
	is_cstr(seen, "", "a request of a queue manager that has gone is not begun");
}

static void filters(void)
{
	struct maps *maps;
	struct answer a;

	tmpconf("ipc_idle = 1s\nsoft_bounce = yes\n");
	a = ask("bounce", 0, "file", "");
	is_int(a.kind, RCPT_DEFERRED, "soft_bounce");
	ok(has("dsn=4.1.1, status=SOFTBOUNCE (no such user)"), "its record");
	ask("bounce", DELIVER_PROBE, "file", "");
	ok(has("dsn=5.1.1, status=undeliverable (no such user)"), "probes keep their code");
	tmpconf("ipc_idle = 1s\n");
	maps = maps_open("test",
	    "inline:{{5.1.1 no such user=4.9.9 perhaps later},"
	    "{2.0.0 ok=4.0.0 nonsense},{4.0.0 later=5.0.1 never}}",
	    0);
	delivery_filter(maps);
	a = ask("bounce", 0, "file", "");
	is_int(a.kind, RCPT_DEFERRED, "a filter makes a bounce soft");
	ok(has("dsn=4.9.9, status=deferred (perhaps later)"), "its record");
	a = ask("badcode", 0, "file", "");
	ok(a.kind == RCPT_BOUNCED && has("dsn=5.0.1, status=bounced (never)"),
	    "or a deferral hard");
	a = ask("deliver", 0, "file", "");
	ok(a.kind == RCPT_SENT && has("status=sent (ok)") &&
		has("warning: delivery status filter: bad "
		    "result"),
	    "but no failure of success");
}

static void reconnect(void)
{
	struct ipc_msg m;
	struct err err;

	stream_free(conn);
	conn = stream_connect_unix("private/agent", deadline_in(1000), &err);
	if (conn == NULL ||
	    ipc_expect(conn, MSG_DELIVER_READY, &m, deadline_in(1000), &err) != WAIT_OK)
		abort();
}

static void malformed(void)
{
	struct ipc_deliver_go go;
	struct ipc_msg m;
	struct err err;

	buf_clear(&logged);
	ipc_send_now(conn, MSG_DELIVER_GO, &go, FOREVER);
	is_int(
	    ipc_recv(conn, &m, deadline_in(1000), &err), WAIT_EOF, "a request without its begin");
	ok(has("warning: request from qmgr: unexpected message DELIVER_GO"), "is warned of");
	reconnect();
	stream_puts(conn, "nonsense", FOREVER);
	stream_flush(conn, FOREVER);
	is_int(ipc_recv(conn, &m, deadline_in(1000), &err), WAIT_EOF, "nonsense");
	reconnect();
	is_int(ask("deliver", 0, "file", "").statuses, 2, "others are served");
}

static void delays(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} t[] = {{0, "0"}, {-5, "0"}, {9999, "0"}, {10000, "0.01"}, {14999, "0.01"},
	    {15000, "0.02"}, {94999, "0.09"}, {99000, "0.1"}, {105000, "0.11"}, {200000, "0.2"},
	    {494000, "0.49"}, {990000, "0.99"}, {994999, "0.99"}, {995000, "1"}, {1040000, "1"},
	    {1060000, "1.1"}, {9000000, "9"}, {9940000, "9.9"}, {9960000, "10"}, {10400000, "10"},
	    {10600000, "11"}, {99400000, "99"}, {153000000, "153"}, {153600000, "154"},
	    {5920000000, "5920"}};
	struct buf out = {0};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		buf_clear(&out);
		delivery_delay(&out, t[i].us);
		is_str(buf_view(&out), str_of(t[i].text), t[i].text);
	}
	conf.delay_logging_resolution_limit = 6;
	buf_clear(&out);
	delivery_delay(&out, 1234);
	is_cstr(buf_text(&out), "0.0012", "more digits");
	conf.delay_logging_resolution_limit = 0;
	buf_clear(&out);
	delivery_delay(&out, 1600000);
	is_cstr(buf_text(&out), "2", "no digits");
	conf.delay_logging_resolution_limit = 2;
	buf_free(&out);
}

/* --- notify */

static struct buf asked;
static uint32_t notify_status;
static bool hang_up;

static void bounce_serve(struct stream *s)
{
	struct ipc_msg m;
	struct err err;

	while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK) {
		struct ipc_notify_done done = {.status = notify_status, .text = STR("no space")};

		if (hang_up)
			return;
		buf_printf(&asked, "%s ", ipc_name(m.type));
		if (m.type == MSG_RCPT_STATUS)
			buf_printf(&asked, "(%.*s) ", STR_FMT(m.rcpt_status.reason));
		if (m.type == MSG_NOTIFY_GO)
			ipc_send_now(s, MSG_NOTIFY_DONE, &done, FOREVER);
	}
}

static struct fakeservice defer = {.path = "private/defer", .serve = bounce_serve};

static int notify(struct err *err)
{
	struct ipc_notify m = {.kind = NOTIFY_DELAY, .queue_id = STR("QID")};
	struct ipc_env_attr attr = {.name = STR("n"), .value = STR("v")};
	struct ipc_env_rcpt rcpts[3] = {
	    {.address = STR("a")}, {.address = STR("b")}, {.address = STR("c")}};
	struct ipc_rcpt_status st[3] = {
	    {.reason = STR("ra")}, {.reason = STR("rb")}, {.reason = STR("rc")}};
	uint32_t which[2] = {0, 2};

	buf_clear(&asked);
	return notify_send(&m, &attr, 1, rcpts, st, which, 2, deadline_in(2000), err);
}

static void notifying(void)
{
	struct err err = {0};

	fakeservice_start(&defer);
	is_int(notify(&err), 0, "notify");
	is_cstr(buf_text(&asked),
	    "NOTIFY ENV_ATTR DELIVER_RCPT RCPT_STATUS (ra) DELIVER_RCPT RCPT_STATUS (rc) "
	    "NOTIFY_GO ",
	    "its messages");
	notify_status = 1;
	is_int(notify(&err), -1, "a report that cannot be made now");
	is_cstr(err.text, "service defer: no space", "says why");
	notify_status = 0;
	is_int(defer.connections, 1, "the connection is kept");
	fakeservice_stop(&defer);
	fakeservice_start(&defer);
	is_int(notify(&err), 0, "a dead kept connection is replaced");
	hang_up = true;
	is_int(notify(&err), -1, "a service that hangs up");
	fakeservice_stop(&defer);
	is_int(notify(&err), -1, "no service");
}

static void run(void *arg)
{
	(void)arg;
	fakeservice_start(&service);
	reconnect();
	requests();
	nobody_waits();
	filters();
	malformed();
	stream_free(conn);
	fakeservice_stop(&service);
	notifying();
}

int main(void)
{
	FILE *f;

	tmpconf("ipc_idle = 1s\n");
	mkdir("private", 0700);
	f = fopen("file", "w");
	fputs("hd mail\n", f);
	fclose(f);
	log_open("agent", false);
	log_writer(keep);
	delays();
	loop_init();
	loop_run(run, NULL);
	buf_free(&logged);
	buf_free(&asked);
	return done();
}
