/* tcp and socketmap: the protocols and what goes wrong with them. */
#include "../../lib/fakeservice.h"
#include "table/netproto.h"
#include "tabletest.h"

static const char *answer; /* of the fake server */
static bool close_after, close_at_once;
static char asked[300];

static void serve_lines(struct stream *s)
{
	str line;

	while (!close_at_once && stream_gets(s, 1000, &line, FOREVER) == WAIT_OK) {
		snprintf(asked, sizeof(asked), "%.*s", STR_FMT(line));
		if (stream_puts(s, answer, FOREVER) != WAIT_OK ||
		    stream_flush(s, FOREVER) != WAIT_OK || close_after)
			break;
	}
}

static void serve_netstrings(struct stream *s)
{
	str data;

	while (!close_at_once && stream_peek(s, 1, &data, FOREVER) == WAIT_OK) {
		snprintf(asked, sizeof(asked), "%.*s", STR_FMT(data));
		stream_consume(s, data.n);
		if (stream_puts(s, answer, FOREVER) != WAIT_OK ||
		    stream_flush(s, FOREVER) != WAIT_OK || close_after)
			break;
	}
}

static const char *reply(const char *spec, const char *text)
{
	answer = text;
	return ask(spec, "some key%");
}

static void test_socketmap(void)
{
	static const char spec[] = "socketmap:unix:sock:name";
	struct fakeservice f = {.path = "sock", .serve = serve_netstrings};
	char *big;

	asks("socketmap:unix:nosock:name", "k", "(error)");
	asks("socketmap:x", "k", "(error)");
	asks("socketmap:inet:127.0.0.1:1", "k", "(error)");
	fakeservice_start(&f);
	is_cstr(reply(spec, "8:OK value,"), "value", "found");
	is_cstr(asked, "14:name some key%,", "the request");
	is_cstr(reply(spec, "9:NOTFOUND ,"), "(none)", "not found");
	is_cstr(reply(spec, "3:OK ,"), "", "an empty value");
	is_int(f.connections, 1, "one connection");
	is_cstr(reply(spec, "9:TEMP oops,"), "(error)", "TEMP");
	is_cstr(reply(spec, "12:TIMEOUT oops,"), "(error)", "TIMEOUT");
	is_cstr(reply(spec, "9:PERM oops,"), "(error)", "PERM");
	is_cstr(reply(spec, "3:WAT,"), "(error)", "an unknown word");
	is_cstr(reply(spec, "8:OK value;"), "(error)", "no comma");
	is_cstr(reply(spec, "x:OK value,"), "(error)", "no length");
	is_cstr(reply(spec, ":OK value,"), "(error)", "an empty length");
	is_cstr(reply(spec, "999999999999:OK value,"), "(error)", "a length beyond the limit");
	is_cstr(reply(spec, "99999999999999999999999999999999:OK value,"), "(error)",
	    "and beyond numbers");
	big = malloc(100100);
	memset(big, 'x', 100100);
	memcpy(big, "100000:OK ", 10);
	strcpy(big + 7 + 100000, ",");
	ok(strlen(reply(spec, big)) == 99997, "as large as socketmap_max_reply_size allows");
	memcpy(big, "100001:OK ", 10);
	strcpy(big + 7 + 100001, ",");
	is_cstr(reply(spec, big), "(error)", "one byte more");
	free(big);
	close_after = true;
	is_cstr(reply(spec, "4:OK a,"), "a", "a server that closes");
	co_sleep(50);
	is_cstr(reply(spec, "4:OK b,"), "b", "is connected to again");
	is_cstr(reply(spec, "20:OK b,"), "(error)", "closed in the middle");
	close_at_once = true;
	is_cstr(reply(spec, "4:OK b,"), "(error)", "closed without an answer");
	close_after = close_at_once = false;
	fakeservice_stop(&f);
	is_cstr(reply(spec, "4:OK b,"), "(error)", "and when it is gone");
}

static void test_tcp(void)
{
	struct fakeservice f = {.path = "unused", .serve = serve_lines};
	struct hostaddr a;
	struct err err;
	char spec[60];
	char *big;

	hostaddr_parse(&a, STR("127.0.0.1"), 0, &err);
	fakeservice_start(&f);
	watch_free(f.watch);
	close(f.fd);
	f.fd = listen_inet(&a, 10, &err);
	f.watch = watch_readable(f.fd, fakeservice_accept, &f);
	getsockname(f.fd, &a.sa, &a.len);
	snprintf(spec, sizeof(spec), "tcp:127.0.0.1:%d", hostaddr_port(&a));
	is_cstr(reply(spec, "200 a%20value\n"), "a value", "found");
	is_cstr(asked, "get some%20key%25\n", "the request");
	is_cstr(reply(spec, "500 no\n"), "(none)", "not found");
	is_cstr(reply(spec, "400 later\n"), "(error)", "400");
	is_cstr(reply(spec, "200 bad%2\n"), "(error)", "a broken %XX");
	is_cstr(reply(spec, "200 bad%zz\n"), "(error)", "a broken %XX");
	is_cstr(reply(spec, "hello\n"), "(error)", "no status");
	is_cstr(reply(spec, "300 x\n"), "(error)", "another status");
	is_cstr(reply(spec, "\n"), "(error)", "an empty line");
	big = malloc(6000);
	memset(big, 'x', 6000);
	memcpy(big, "200 ", 4);
	strcpy(big + 4097, "\n");
	is_cstr(reply(spec, big), "(error)", "too long a line");
	free(big);
	close_after = true;
	is_cstr(reply(spec, "200 a\n"), "a", "a server that closes");
	co_sleep(50);
	is_cstr(reply(spec, "200 b\n"), "b", "is connected to again");
	close_after = false;
	fakeservice_stop(&f);
	is_cstr(reply(spec, "200 b\n"), "(error)", "and when it is gone");
}

static void many_one(void *arg)
{
	struct table *t = table_open(STR("socketmap:unix:sock:name"), TABLE_FOLD, NULL);
	struct buf value = {0};
	struct err err = {0};
	int *good = arg;

	*good += table_get(t, STR("k"), &value, &err) == TABLE_FOUND &&
		 str_eq(buf_view(&value), STR("v"));
	buf_free(&value);
}

static void test_many(void)
{
	struct fakeservice f = {.path = "sock", .serve = serve_netstrings};
	struct scope s;
	int good = 0;

	fakeservice_start(&f);
	answer = "4:OK v,";
	scope_init(&s);
	for (int i = 0; i < 300; i++)
		co_start(&s, "one", many_one, &good);
	scope_join(&s);
	is_int(good, 300, "300 at once");
	ok(f.connections <= 120, "over no more connections than there may be");
	fakeservice_stop(&f);
}

static void run(void *arg)
{
	(void)arg;
	test_socketmap();
	test_tcp();
	test_many();
}

int main(void)
{
	return table_tests(run, "");
}
