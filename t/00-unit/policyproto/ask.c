/* A policy server's client: connections kept, shared and owned; servers that fail. */
#include "log/log.h"
#include "policyproto/policy.h"
#include "t/lib/fakeservice.h"
#include "t/lib/tap.h"
#include "t/lib/tmpconf.h"

static struct buf action, logged;
static struct policy_server *server;

static void take_log(const char *tag, str text)
{
	(void)tag;
	buf_str(&logged, text);
	buf_char(&logged, '\n');
}

static int count(const char *what)
{
	str rest = buf_view(&logged);
	ptrdiff_t at;
	int n = 0;

	log_flush();
	while ((at = str_find(rest, str_of(what))) >= 0) {
		rest = str_from(rest, (size_t)at + 1);
		n++;
	}
	return n;
}

/* --- the server: answers "action=<connection> <request on it>", or as script says */

static int connections, requests, open_now, open_most;
static const char *script; /* NULL: the normal answer; "": closes; "silence" */
static int script_after;   /* requests of a connection that are answered normally */
static struct buf last;	   /* request */

static bool read_request(struct stream *s)
{
	struct buf request = {0};
	str line;

	do {
		if (stream_gets(s, 10000, &line, FOREVER) != WAIT_OK) {
			buf_free(&request);
			return false;
		}
		buf_str(&request, line);
	} while (line.n > 1);
	requests++;
	buf_free(&last);
	last = request;
	return true;
}

static void converse(struct stream *s)
{
	int me = ++connections;

	for (int n = 1; read_request(s); n++) {
		if (!script || n <= script_after)
			stream_printf(s, FOREVER, "action=%d %d\n\n", me, n);
		else if (strcmp(script, "silence") == 0)
			continue;
		else if (!*script)
			return;
		else
			stream_puts(s, script, FOREVER);
		if (stream_flush(s, FOREVER) != WAIT_OK)
			return;
	}
}

static void serve(struct stream *s)
{
	if (++open_now > open_most)
		open_most = open_now;
	converse(s);
	open_now--;
}

static void begin(struct policy_settings set)
{
	struct policy_settings defaults = {
	    .timeout = 30, .max_idle = 300, .max_ttl = 1000, .try_limit = 2, .connections = 3};
	struct err err;

	if (server)
		policy_server_free(server);
	if (set.timeout)
		defaults.timeout = set.timeout;
	if (set.max_idle)
		defaults.max_idle = set.max_idle;
	if (set.max_ttl)
		defaults.max_ttl = set.max_ttl;
	if (set.try_limit)
		defaults.try_limit = set.try_limit;
	defaults.request_limit = set.request_limit;
	defaults.retry_delay = set.retry_delay;
	server = policy_server_new(STR("unix:sock"), &defaults, &err);
	connections = requests = 0;
	script = NULL;
	script_after = 0;
	log_flush();
	buf_clear(&logged);
}

static const char *ask(struct policy_owner *owner)
{
	static char text[200];

	if (policy_ask(server, owner, STR("a=b\n\n"), &action) < 0)
		return "(failed)";
	snprintf(text, sizeof text, "%s", buf_text(&action));
	return text;
}

/* --- */

static void endpoints(void)
{
	static const char *const bad[] = {"", "127.0.0.1:1", "inet:", "inet:127.0.0.1",
	    "inet:h:no-such-port", "unix:", "tcp:1", "inet:[::1:25"};
	struct policy_settings set = {.connections = 1};
	struct policy_server *p;
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		p = policy_server_new(str_of(bad[i]), &set, &err);
		ok(!p && err.text[0], bad[i]);
	}
	p = policy_server_new(STR("inet:[::1]:10031"), &set, &err);
	ok(p, "inet");
	policy_server_free(p);
	p = policy_server_new(STR("local:private/x"), &set, &err);
	ok(p, "local is another word for unix");
	policy_server_free(p);
}

static void reuse(void)
{
	begin((struct policy_settings){0});
	is_cstr(ask(NULL), "1 1", "the first request");
	is_str(buf_view(&last), STR("a=b\n\n"), "as given");
	is_cstr(ask(NULL), "1 2", "the same connection");
	begin((struct policy_settings){.request_limit = 2});
	ask(NULL);
	is_cstr(ask(NULL), "1 2", "request_limit");
	is_cstr(ask(NULL), "2 1", "then another connection");
	begin((struct policy_settings){.max_ttl = 1});
	ask(NULL);
	co_sleep(1100);
	is_cstr(ask(NULL), "2 1", "max_ttl");
	begin((struct policy_settings){.max_idle = 1});
	ask(NULL);
	co_sleep(1100);
	is_cstr(ask(NULL), "2 1", "max_idle");
}

/* Within a deadline. */
static bool all_closed(void)
{
	int64_t until = deadline_in(20000);

	while (open_now > 0 && loop_now() < until)
		co_sleep(10);
	return open_now == 0;
}

static void expiry(void)
{
	struct policy_owner owner = {0};

	begin((struct policy_settings){.max_idle = 1});
	ask(&owner);
	ask(NULL);
	ok(all_closed(), "connections that nobody uses are closed by themselves");
	is_cstr(ask(&owner), "3 1", "their owner gets a new one");
	policy_release(&owner);
	ok(all_closed(), "and what it gave back is closed in its turn");
}

static void owners(void)
{
	struct policy_owner a = {0}, b = {0}, c = {0}, d = {0};

	begin((struct policy_settings){0});
	is_cstr(ask(&a), "1 1", "an owner gets a connection");
	is_cstr(ask(&b), "2 1", "another owner another one");
	is_cstr(ask(NULL), "3 1", "and who is none, one that nobody owns");
	is_cstr(ask(&a), "1 2", "its own again");
	is_cstr(ask(&c), "3 2", "the third");
	is_cstr(ask(&b), "2 2", "its own");
	is_cstr(ask(&d), "1 3", "when all are owned: the one that was unused for longest");
	is_cstr(ask(&a), "3 3", "whose owner must find another");
	policy_release(&b);
	is_cstr(ask(&c), "2 3", "what was given back is for everybody");
	policy_release(&a);
	policy_release(&b);
	policy_release(&c);
	policy_release(&d);
	ok(!a.conns && !b.conns && !c.conns && !d.conns, "nothing is left");
	is_int(connections, 3, "never more than allowed");
}

struct many {
	struct scope scope;
	int good, bad;
};

static void one_of_many(void *arg)
{
	struct many *m = arg;
	struct policy_owner owner = {0};
	struct buf text = {0};

	for (int i = 0; i < 5; i++) {
		if (policy_ask(server, &owner, STR("a=b\n\n"), &text) == 0)
			m->good++;
		else
			m->bad++;
		co_yield ();
	}
	policy_release(&owner);
	buf_free(&text);
}

static void crowd(void)
{
	struct many m = {0};

	begin((struct policy_settings){0});
	scope_init(&m.scope);
	for (int i = 0; i < 200; i++)
		co_start(&m.scope, "asker", one_of_many, &m);
	scope_join(&m.scope);
	is_int(m.good, 1000, "all are answered");
	is_int(connections, 3, "over as many connections as are allowed");
	is_int(count("problem"), 0, "without trouble");
}

static void failures(void)
{
	begin((struct policy_settings){0});
	script = "";
	is_cstr(ask(NULL), "(failed)", "a server that closes");
	is_int(requests, 2, "was tried try_limit times");
	is_int(count("warning: problem talking to server sock: connection closed before its answer "
		     "was complete"),
	    2, "each logged");
	begin((struct policy_settings){.try_limit = 3});
	script = "garbage\n\n";
	is_cstr(ask(NULL), "(failed)", "garbage");
	is_int(requests, 3, "three tries");
	is_int(count("problem talking to server sock: missing value of attribute \"garbage\""), 3,
	    "the reason");
	begin((struct policy_settings){.timeout = 1, .try_limit = 1});
	script = "silence";
	is_cstr(ask(NULL), "(failed)", "silence");
	is_int(count("problem talking to server sock: Connection timed out"), 1, "timed out");
	begin((struct policy_settings){0});
	script = "action=OK\n\naction=REJECT\n\n";
	script_after = 1;
	ask(NULL);
	is_cstr(ask(NULL), "OK", "a babbling server: what it answered counts");
	is_int(count("policy server sock says more than its answer"), 1, "logged");
	is_cstr(ask(NULL), "2 1", "the rest is no answer to anything");
}

static void try_again(void *arg)
{
	(void)arg;
	ok(strcmp(ask(NULL), "(failed)") != 0, "the second try has a connection of its own");
}

/* Connections that others keep make room for a second try. */
static void full(void)
{
	struct policy_owner a = {0}, b = {0}, c = {0};
	struct scope scope;

	begin((struct policy_settings){.retry_delay = 1});
	ask(&a);
	ask(&b);
	open_most = open_now;
	script = ""; /* the first try fails, and waits for a second */
	scope_init(&scope);
	co_start(&scope, "asker", try_again, NULL);
	while (requests < 3 || open_now > 2)
		co_sleep(1);
	script = NULL;
	ok(strcmp(ask(&c), "(failed)") != 0, "the last place is taken meanwhile");
	scope_join(&scope);
	is_int(open_most, 3, "never more than allowed are open");
	policy_release(&a);
	policy_release(&b);
	policy_release(&c);
}

/* A server may close what it was not asked on, at any time. */
static void closed(void)
{
	begin((struct policy_settings){.try_limit = 1});
	script = "";
	script_after = 1;
	is_cstr(ask(NULL), "1 1", "an answer");
	is_cstr(ask(NULL), "2 1", "closed when the next request came: at once a new connection");
	is_int(count("problem"), 0, "no failure");
	begin((struct policy_settings){0});
	script = "action=OK\n\n";
	ask(NULL);
	script = "action=A\n\nlate";
	ask(NULL);
	co_sleep(20);
	script = NULL;
	is_cstr(ask(NULL), "2 1", "a connection with input that nobody asked for is not used");
}

static void absent(struct fakeservice *f)
{
	begin((struct policy_settings){0});
	ask(NULL);
	fakeservice_stop(f);
	is_cstr(ask(NULL), "(failed)", "no server");
	is_int(count("warning: connect to sock: No such file or directory"), 2, "the reason");
	is_int(count("warning: problem talking to server sock: No such file or directory"), 2,
	    "and each failed try");
	fakeservice_start(f);
	is_cstr(ask(NULL), "2 1", "it is back");
}

static void asker(void *arg)
{
	(void)arg;
	ask(NULL);
}

static void cancelled(void)
{
	struct scope scope;

	begin((struct policy_settings){0});
	script = "silence";
	scope_init(&scope);
	co_start(&scope, "asker", asker, NULL);
	co_sleep(20);
	scope_end(&scope);
	is_int(requests, 1, "a cancelled request is not tried again");
	script = NULL;
	is_cstr(ask(NULL), "2 1", "the server can be asked on");
}

static void test(void *arg)
{
	struct fakeservice f = {.path = "sock", .serve = serve};

	(void)arg;
	fakeservice_start(&f);
	endpoints();
	reuse();
	expiry();
	owners();
	crowd();
	failures();
	full();
	closed();
	absent(&f);
	cancelled();
	policy_server_free(server);
	fakeservice_stop(&f);
	loop_stop();
}

int main(void)
{
	tmpconf("");
	log_open("test", false);
	log_writer(take_log);
	loop_init();
	loop_run(test, NULL);
	buf_free(&action);
	buf_free(&logged);
	buf_free(&last);
	return done();
}
