/* The message as milters see and change it: what they are shown, what becomes of what they ask for,
 * one after the other, and that a milter that fails leaves nothing behind. */
#include "milter/message.h"

#include "../../lib/fakeservice.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include "log/log.h"
#include "milter/wire.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BIG 700000

/* --- two milters that do as they are told */

static struct script {
	uint32_t steps;
	char at, with;	/* an answer to that event, instead of continue */
	struct buf end; /* packets at the end of the message */
	bool hang_up;
	/* what it saw */
	struct buf header, body;
	int chunks, most, ends;
} scripts[2];

static void answer(struct stream *s, char cmd)
{
	char packet[] = {0, 0, 0, 1, cmd};

	stream_write(s, packet, sizeof(packet), FOREVER);
	stream_flush(s, FOREVER);
}

static void negotiate(struct script *x, struct stream *s)
{
	struct buf out = {0};
	size_t at = milter_packet_begin(&out, 'O');

	milter_put_u32(&out, 6);
	milter_put_u32(&out, 0x1ff);
	milter_put_u32(&out, x->steps);
	milter_packet_end(&out, at);
	stream_write(s, out.p, out.n, FOREVER);
	stream_flush(s, FOREVER);
	buf_free(&out);
}

static void see(struct script *x, char cmd, str data)
{
	str name, value;

	if (cmd == 'L' && milter_take_z(&data, &name) && milter_take_z(&data, &value))
		buf_printf(&x->header, "%.*s=%.*s;", STR_FMT(name), STR_FMT(value));
	if (cmd == 'B') {
		buf_str(&x->body, data);
		x->chunks++;
		if ((int)data.n > x->most)
			x->most = (int)data.n;
	}
	if (cmd == 'E')
		x->ends++;
}

static void serve(struct script *x, struct stream *s)
{
	struct err err;
	char cmd;
	str data;

	while (milter_packet_read(s, &cmd, &data, FOREVER, &err) == WAIT_OK && cmd != 'Q') {
		see(x, cmd, data);
		if (cmd == 'O') {
			negotiate(x, s);
		} else if (cmd == 'E') {
			stream_write(s, x->end.p, x->end.n, FOREVER);
			if (x->hang_up && stream_flush(s, FOREVER) == WAIT_OK)
				return;
			answer(s, x->at == 'E' ? x->with : 'c');
		} else if (cmd != 'D' && cmd != 'A') {
			answer(s, x->at == cmd ? x->with : 'c');
		}
	}
}

static void serve_first(struct stream *s)
{
	serve(&scripts[0], s);
}

static void serve_second(struct stream *s)
{
	serve(&scripts[1], s);
}

static struct fakeservice services[2] = {
    {.path = "m1", .serve = serve_first}, {.path = "m2", .serve = serve_second}};

static void reset(void)
{
	for (int i = 0; i < 2; i++) {
		buf_free(&scripts[i].end);
		buf_free(&scripts[i].header);
		buf_free(&scripts[i].body);
		scripts[i] = (struct script){0};
	}
}

static void wants_texts(int who, char cmd, int64_t index, const char *name, const char *value)
{
	struct buf *out = &scripts[who].end;
	size_t at = milter_packet_begin(out, cmd);

	if (index >= 0)
		milter_put_u32(out, (uint32_t)index);
	milter_put_z(out, str_of(name));
	if (value)
		milter_put_z(out, str_of(value));
	milter_packet_end(out, at);
}

static void wants_body(int who, str data)
{
	size_t at = milter_packet_begin(&scripts[who].end, 'b');

	buf_str(&scripts[who].end, data);
	milter_packet_end(&scripts[who].end, at);
}

/* --- the envelope's owner */

static struct buf asked;

static void change_from(void *ctx, str address, str args)
{
	(void)ctx;
	buf_printf(&asked, "from %.*s %.*s;", STR_FMT(address), STR_FMT(args));
}

static void add_rcpt(void *ctx, str address, str args)
{
	(void)ctx;
	buf_printf(&asked, "add %.*s %.*s;", STR_FMT(address), STR_FMT(args));
}

static void del_rcpt(void *ctx, str address)
{
	(void)ctx;
	buf_printf(&asked, "del %.*s;", STR_FMT(address));
}

static bool check_field(void *ctx, str *text)
{
	(void)ctx;
	if (str_starts(*text, STR("X-Replace:")))
		*text = STR("X-Other: text");
	return !str_starts(*text, STR("X-Drop:"));
}

static const struct milter_envelope_ops ops = {change_from, add_rcpt, del_rcpt, check_field};

/* --- one message through both */

static struct buf written;
static int pieces;

static int collect(void *ctx, str wire)
{
	(void)ctx;
	pieces++;
	buf_str(&written, wire);
	return 0;
}

static str no_macro(void *ctx, str name)
{
	(void)ctx;
	(void)name;
	return (str){NULL, 0};
}

static struct milter_answer last;
static struct milters *lists[100];
static int nlists;
static char last_reply[200], last_reason[100];

static struct milter_message *judge_file(
    const char *list, str header, size_t hidden, str body, int file, uint64_t length)
{
	struct milter_message *m = milter_message_new(header, hidden, body, file, 0, length);
	struct err err;
	struct milter_chain *c;

	/* Fresh ones: others may be in trouble. They live until the process ends. */
	lists[nlists] = milters_parse("test", list);
	c = milter_chain_new(lists[nlists++], no_macro, NULL, "h[1.2.3.4]");

	buf_clear(&asked);
	milter_connect(c, "h", "1.2.3.4", "25", NULL);
	milter_helo(c, STR("h"));
	milter_mail(c, STR("<a@b>"), NULL, 0);
	milter_rcpt(c, STR("<c@d>"), NULL, 0);
	milter_data(c);
	last = milter_message_run(c, m, &ops, NULL);
	snprintf(last_reply, sizeof(last_reply), "%.*s", STR_FMT(last.reply));
	snprintf(last_reason, sizeof(last_reason), "%.*s", STR_FMT(last.hold_reason));
	milter_chain_free(c);
	buf_clear(&written);
	pieces = 0;
	if (milter_message_write(m, collect, NULL, &err) < 0)
		printf("# %s\n", err.text);
	return m;
}

static void judge(const char *list, const char *header, size_t hidden, const char *body)
{
	struct milter_message *m = judge_file(list, str_of(header), hidden, str_of(body), -1, 0);

	milter_message_free(m);
}

#define HEAD                                                                                       \
	"X-Pre: p\r\nReceived: ours\r\n\tfolded\r\nX-A: 1\r\nX-B:none\r\nX-A:  2\r\n..dot: 3\r\n"  \
	"X-F: long\r\n\tfolded\r\n\r\n"

static void shown(void)
{
	struct milter_message *m;

	reset();
	m = judge_file("unix:m1", STR(HEAD), 1, STR("one\r\n..\r\n..two\r\n"), -1, 0);
	ok(!milter_message_changed(m), "milters that only look change nothing");
	milter_message_free(m);
	is_int(last.verdict, MILTER_CONTINUE, "it passes");
	is_str(buf_view(&scripts[0].header),
	    STR("X-Pre=p;X-A=1;X-B=none;X-A= 2;.dot=3;X-F=long\n\tfolded;"),
	    "fields without their first space, without our Received");
	is_str(buf_view(&scripts[0].body), STR("one\r\n.\r\n.two\r\n"), "body without stuffing");
	is_str(buf_view(&written), STR(HEAD "one\r\n..\r\n..two\r\n"), "what went in comes out");
	reset();
	scripts[0].steps = 0x100000;
	judge("unix:m1", HEAD, MILTER_NO_FIELD, "");
	is_str(buf_view(&scripts[0].header),
	    STR("X-Pre= p;Received= ours\n\tfolded;X-A= 1;X-B=none;X-A=  2;.dot= 3;"
		"X-F= long\n\tfolded;"),
	    "with SMFIP_HDR_LEADSPC as they are");
	is_int(scripts[0].chunks, 0, "an empty body is not shown");
	is_int(scripts[0].ends, 1, "the end is");
	judge("unix:m1", "X: 1\r\n", MILTER_NO_FIELD, "");
	is_str(buf_view(&written), STR("X: 1\r\n"), "a message that is only a header stays so");
}

static void positions(void)
{
	reset();
	wants_texts(0, 'h', -1, "X-Last", "appended");
	wants_texts(0, 'i', 1, "X-One", "one");
	wants_texts(0, 'i', 0, "X-Zero", "zero");
	wants_texts(0, 'm', 2, "x-a", "changed");
	wants_texts(0, 'm', 7, "X-A", "made");
	wants_texts(0, 'm', 7, "X-B", "");
	wants_texts(0, 'm', 0, "X-B", "first");
	wants_texts(0, 'm', 1, "X-C", "");
	wants_texts(0, 'm', 1, "Received", "not yours");
	wants_texts(0, 'i', 4000000000, "X-End", "v");
	judge("unix:m1", "Received: ours\r\nX-A: 1\r\nX-B:none\r\nX-A: 2\r\nX-C: 3\r\n\r\n", 0,
	    "body\r\n");
	is_str(buf_view(&written),
	    STR("X-Zero: zero\r\nReceived: ours\r\nX-One: one\r\nX-A: 1\r\nX-B: first\r\nx-a: "
		"changed\r\nX-Last: appended\r\nX-A: made\r\nReceived: not yours\r\nX-End: "
		"v\r\n\r\nbody\r\n"),
	    "positions and counts");
	reset();
	wants_texts(0, 'h', -1, "X-F", "a\n b\r\n\tc\nd\n\n \ne\rf\n");
	wants_texts(0, 'h', -1, "X Bad", "v");
	wants_texts(0, 'h', -1, "X:Bad", "v");
	wants_texts(0, 'i', 0, "X-\xe4", "v");
	wants_texts(0, 'm', 1, "X\nBad", "v");
	wants_texts(0, 'h', -1, "X-Drop", "v");
	wants_texts(0, 'h', -1, "X-Replace", "v");
	judge("unix:m1", "A: 1\r\n\r\n", MILTER_NO_FIELD, "");
	is_str(buf_view(&written),
	    STR("A: 1\r\nX-F: a\r\n b\r\n\tc\r\n\td\r\n\te f\r\nX-Other: text\r\n\r\n"),
	    "folded values; names that cannot be; checks");
	reset();
	scripts[0].steps = 0x100000;
	wants_texts(0, 'h', -1, "X-Tight", "v");
	wants_texts(0, 'm', 1, "A", "  v");
	judge("unix:m1", "A: 1\r\n\r\n", MILTER_NO_FIELD, "");
	is_str(buf_view(&written), STR("A:  v\r\nX-Tight:v\r\n\r\n"),
	    "with SMFIP_HDR_LEADSPC values bring their own space");
}

static void in_turn(void)
{
	reset();
	wants_texts(0, 'i', 1, "X-New", "1");
	wants_texts(0, 'm', 1, "X-Gone", "");
	wants_texts(0, 'e', -1, "<f@g>", "RET=HDRS");
	wants_texts(0, '+', -1, "<h@i>", NULL);
	wants_texts(0, '2', -1, "<j@k>", "NOTIFY=NEVER");
	wants_texts(0, '-', -1, "<c@d>", NULL);
	wants_body(0, STR(".new\nbo"));
	buf_add(&scripts[0].end, "\0\0\0\1p", 5);
	wants_body(0, STR("dy\r\nend"));
	wants_texts(1, 'm', 1, "X-New", "2");
	wants_texts(1, 'q', -1, "looks odd", NULL);
	judge("unix:m1 unix:m2", "Received: ours\r\nX-Gone: x\r\nX-A: 1\r\n\r\n", 0, "old\r\n");
	is_str(buf_view(&scripts[0].body), STR("old\r\n"), "the first sees the old body");
	is_str(buf_view(&scripts[1].header), STR("X-New=1;X-A=1;"), "the second the new header");
	is_str(buf_view(&scripts[1].body), STR(".new\r\nbody\r\nend\r\n"), "and the new body");
	is_str(buf_view(&written),
	    STR("Received: ours\r\nX-New: 2\r\nX-A: 1\r\n\r\n..new\r\nbody\r\nend\r\n"),
	    "in wire form");
	is_str(buf_view(&asked),
	    STR("from <f@g> RET=HDRS;add <h@i> ;add <j@k> NOTIFY=NEVER;del <c@d>;"),
	    "envelope changes in order");
	ok(last.hold && strcmp(last_reason, "looks odd") == 0, "quarantine");
	reset();
	scripts[0].at = 'L';
	scripts[0].with = 'a';
	scripts[1].at = 'B';
	scripts[1].with = 'r';
	judge("unix:m1 unix:m2", "A: 1\r\nB: 2\r\n\r\n", MILTER_NO_FIELD, "b\r\n");
	is_str(buf_view(&scripts[0].header), STR("A=1;"), "who accepts is not asked further");
	is_int(scripts[0].ends, 0, "not even about the end");
	is_str(buf_view(&scripts[1].header), STR("A=1;B=2;"), "the next one is");
	ok(last.verdict == MILTER_REPLY && strcmp(last_reply, "550 5.7.1 Command rejected") == 0,
	    "its refusal decides");
	is_int(scripts[1].ends, 0, "at once");
	reset();
	scripts[0].at = 'N';
	scripts[0].with = 'd';
	judge("unix:m1 unix:m2", "A: 1\r\n\r\n", MILTER_NO_FIELD, "b\r\n");
	is_int(last.verdict, MILTER_DISCARD, "discard");
	is_int(scripts[1].header.n, 0, "ends it for all");
}

static void repeat(int times, char cmd, int64_t index, const char *name, const char *value)
{
	for (int i = 0; i < times; i++)
		wants_texts(0, cmd, index, name, value);
}

static void flood(char cmd, int64_t index, const char *name, const char *value)
{
	repeat(21000, cmd, index, name, value);
}

/* What the first milter says at last. */
static void misbehave(int how)
{
	static char longest[2500];

	memset(longest, 'x', sizeof(longest) - 1);
	switch (how) {
	case 0:
		scripts[0].hang_up = true;
		return;
	case 1:
		wants_texts(0, 'Z', -1, "", NULL);
		return;
	case 2:
		buf_add(&scripts[0].end, "\x7f\xff\xff\xff\x62", 5);
		return;
	case 3:
		flood('h', -1, "X", "y");
		return;
	case 4:
		for (int i = 0; i < 20; i++)
			wants_body(0, STR("0123456789"));
		return;
	case 5:
		wants_texts(0, 'h', -1, "X-Other", NULL);
		return;
	case 6:
		wants_texts(0, '+', -1, "bad\nDATA", NULL);
		return;
	case 7:
		wants_texts(0, '-', -1, "bad\x01", NULL);
		return;
	case 8:
		wants_texts(0, 'e', -1, "<a\r\nb@c>", NULL);
		return;
	case 9:
		wants_texts(0, '+', -1, longest, NULL);
		return;
	case 10:
		flood('q', -1, "again", NULL);
		return;
	case 11:
		flood('h', -1, "No Name", "y");
		return;
	case 12:
		for (int i = 0; i < 21000; i++)
			wants_body(0, STR(""));
		return;
	case 13: /* a flood in little time, and then no answer */
		for (int i = 0; i < 50000; i++)
			buf_add(&scripts[0].end, "\0\0\0\1p", 5);
		scripts[0].hang_up = true;
		return;
	case 14: /* fewer than the replies that are heard, more than the changes that are kept */
		repeat(10001, 'h', -1, "X", "y");
		return;
	}
}

/* A milter that fails leaves nothing behind. */
static void failures(void)
{
	static const char list[] = "{unix:m1, default_action=accept} unix:m2";
	static const char whole[] = "A: 1\r\n\r\nold\r\n";

	for (int how = 0; how < 15; how++) {
		reset();
		wants_texts(0, 'h', -1, "X-New", "1");
		wants_texts(0, 'e', -1, "<f@g>", NULL);
		wants_body(0, STR("half a bo"));
		misbehave(how);
		judge(list, "A: 1\r\n\r\n", MILTER_NO_FIELD, "old\r\n");
		is_int(
		    last.verdict, MILTER_CONTINUE, "a milter fails; its default action is accept");
		is_str(buf_view(&written), str_of(whole), "the message is as it was");
		is_int(asked.n, 0, "so is the envelope");
		is_str(buf_view(&scripts[1].header), STR("A=1;"), "the next milter sees that");
	}
	reset();
	wants_texts(0, 'h', -1, "X-New", "1");
	wants_texts(0, '+', -1, "<a@b>", NULL);
	scripts[0].at = 'E';
	scripts[0].with = 't';
	judge(list, "A: 1\r\n\r\n", MILTER_NO_FIELD, "old\r\n");
	is_int(asked.n, 0, "who refuses changes nothing either");
}

/* Changes cost what the header is long: there is an end to it. */
static void many_fields(void)
{
	struct buf header = {0};

	for (int i = 0; i < 300000; i++)
		buf_cstr(&header, "A:\r\n");
	buf_cstr(&header, "\r\n");
	for (int n = 100; n <= 1000; n *= 10) {
		reset();
		scripts[0].steps = 0x400;
		scripts[0].at = 'L';
		scripts[0].with = 's';
		for (int i = 0; i < n; i++)
			wants_texts(0, 'm', 1, "A", "");
		wants_texts(0, '+', -1, "<a@b>", NULL);
		judge("{unix:m1, default_action=accept}", buf_text(&header), MILTER_NO_FIELD, "");
		is_int((long long)(header.n - written.n), n == 100 ? 400 : 0,
		    n == 100 ? "a hundred of many fields are removed"
			     : "a thousand are too much: none is");
		is_int(asked.n > 0, n == 100, "and the envelope is as the header is");
	}
	buf_free(&header);
}

/* Bodies that do not stay in memory. */
static void large_bodies(void)
{
	char *body = malloc(BIG);
	struct milter_message *m;
	int file = open("big", O_RDWR | O_CREAT, 0600);

	for (int i = 0; i < BIG; i++)
		body[i] = i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : i % 70 == 1 ? '.' : 'x';
	body[BIG - 2] = '\r';
	body[BIG - 1] = '\n';
	if (write(file, body, BIG) != BIG)
		abort();
	reset();
	m = judge_file("unix:m1", STR("A: 1\r\n\r\n"), MILTER_NO_FIELD, STR(""), file, BIG);
	is_int(scripts[0].most, 65535, "a body from a file comes in full chunks");
	ok(str_eq(buf_view(&scripts[0].body), str_mem(body, BIG)), "and is what it was");
	milter_message_free(m);
	reset();
	scripts[0].steps = 0x400;
	scripts[0].at = 'B';
	scripts[0].with = 's';
	for (int i = 0; i < 20; i++)
		wants_body(0, str_mem(body, 60000));
	wants_texts(0, 'h', -1, "X", "y");
	m = judge_file("unix:m1 unix:m2", STR("A: 1\r\n\r\n"), MILTER_NO_FIELD, STR(""), file, BIG);
	is_int(scripts[0].chunks, 1, "skip: no more chunks");
	is_int((long long)written.n, 8 + 6 + 20 * 60000 + 2, "a large new body is written whole");
	ok(milter_message_changed(m) && pieces > 10, "piece by piece");
	is_int((long long)scripts[1].body.n, 20 * 60000 + 2, "the next milter sees all of it");
	milter_message_free(m);
	if (ftruncate(file, 1000) < 0)
		abort();
	reset();
	m = judge_file("unix:m1", STR("A: 1\r\n\r\n"), MILTER_NO_FIELD, STR(""), file, BIG);
	is_int(last.verdict, MILTER_REPLY, "a file that is shorter than it should be");
	milter_message_free(m);
	close(file);
	free(body);
}

static void run(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++)
		fakeservice_start(&services[i]);
	shown();
	positions();
	in_turn();
	tmpconf("milter_connect_timeout = 5s\nmessage_size_limit = 100\n");
	failures();
	tmpconf("milter_connect_timeout = 5s\nmessage_size_limit = 0\n");
	many_fields();
	large_bodies();
	for (int i = 0; i < 2; i++)
		fakeservice_stop(&services[i]);
}

int main(void)
{
	tmpconf("milter_connect_timeout = 5s\nmessage_size_limit = 0\n");
	mkdir("incoming", 0700);
	log_early("test");
	loop_init();
	loop_run(run, NULL);
	reset();
	buf_free(&asked);
	buf_free(&written);
	return done();
}
