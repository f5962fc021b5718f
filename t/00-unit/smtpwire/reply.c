#include "smtpwire/reply.h"

#include "../../lib/tap.h"
#include "mail/addr.h"

static enum reply_state feed(struct reply *r, const char *text)
{
	str rest = str_of(text), line;
	enum reply_state state = REPLY_MORE;

	reply_start(r);
	while (state == REPLY_MORE && rest.n && str_split(&rest, '\n', &line))
		state = reply_line(r, line);
	return state;
}

static const struct {
	const char *in;
	int code;
	const char *dsn, *joined, *record;
} good[] = {
    {"250 2.1.0 Ok\r\n", 250, "2.1.0", "250 2.1.0 Ok", "2.1.0"},
    {"250\r\n", 250, "", "250", "2.0.0"},
    {"550\n", 550, "", "550", "5.0.0"},
    {"450 \r\n", 450, "", "450 ", "4.0.0"},
    {"250-a\r\n250 b\r\n", 250, "", "250-a 250 b", "2.0.0"},
    {"250-a\r\n550 b\r\n", 550, "", "250-a 550 b", "5.0.0"},
    {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 three\r\n", 550, "",
	"550-5.7.1 one 550-5.7.1 two 550 three", "5.0.0"},
    {"garbage\r\n\r\n  550 x\r\n2500 y\r\n250x\r\n250 b\r\n", 250, "", "250 b", "2.0.0"},
    {"550 4.1.1 a\r\n", 550, "", "550 4.1.1 a", "5.0.0"},
    {"550 5.1.1\r\n", 550, "5.1.1", "550 5.1.1", "5.1.1"},
    {"550 5.1.1000 z\r\n", 550, "", "550 5.1.1000 z", "5.0.0"},
    {"550 5.1.1z\r\n", 550, "", "550 5.1.1z", "5.0.0"},
    {"550 a\001\tb\r\n", 550, "", "550 a??b", "5.0.0"},
    {"350 x\r\n", 350, "", "350 x", "5.5.0"},
    {"099 x\r\n", 99, "", "099 x", "5.5.0"},
};

static void test_read(void)
{
	struct reply r = {0};
	struct buf out = {0};
	char dsn[16];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		is_int(feed(&r, good[i].in), REPLY_DONE, good[i].in);
		is_int(r.code, good[i].code, "code");
		is_str(str_of(r.dsn), str_of(good[i].dsn), "enhanced code");
		buf_clear(&out);
		reply_joined(&r, &out);
		is_str(buf_view(&out), str_of(good[i].joined), "in one line");
		is_cstr(reply_dsn(&r, dsn), good[i].record, "code to record");
	}
	ok(feed(&r, "250-a\n251 b\n") == REPLY_DONE && r.inconsistent, "different codes");
	ok(feed(&r, "huh\n250 b\n") == REPLY_DONE && r.garbage, "garbage is noticed");
	is_int(feed(&r, "250-a\n250-b\n"), REPLY_MORE, "unfinished");
	reply_free(&r);
	buf_free(&out);
}

static void test_lines(void)
{
	struct reply r = {0};
	str line;

	feed(&r, "250-host hello\r\n250-SIZE 10\r\n250-\r\n250 DSN\r\n");
	ok(reply_get_line(&r, 1, &line), "second line");
	is_str(line, STR("SIZE 10"), "its text");
	ok(reply_get_line(&r, 2, &line) && line.n == 0, "empty line");
	ok(reply_get_line(&r, 3, &line), "last line");
	is_str(line, STR("DSN"), "its text");
	ok(!reply_get_line(&r, 4, &line), "no more");
	reply_free(&r);
}

static void test_bounds(void)
{
	struct reply r = {0};
	struct buf line = {0};
	enum reply_state state = REPLY_MORE;
	int n = 0;

	buf_cstr(&line, "250-");
	for (int i = 0; i < 5000; i++)
		buf_char(&line, 'x');
	reply_start(&r);
	while (state == REPLY_MORE && n++ < 2000)
		state = reply_line(&r, buf_view(&line));
	is_int(state, REPLY_BAD, "a reply that never ends");
	ok(r.text.n <= REPLY_TEXT_MAX + 1, "its text is bounded");
	reply_start(&r);
	for (state = REPLY_MORE, n = 0; state == REPLY_MORE && n++ < 2000;)
		state = reply_line(&r, STR("garbage"));
	is_int(state, REPLY_BAD, "garbage that never ends");
	reply_free(&r);
	buf_free(&line);
}

static void test_write(void)
{
	struct buf b = {0};

	reply_put(&b, 250, "2.1.0", STR("Ok"), false);
	is_str(buf_view(&b), STR("250 2.1.0 Ok\r\n"), "one line");
	buf_clear(&b);
	reply_put(&b, 250, NULL, STR("a\nb\r\nc\n"), false);
	is_str(buf_view(&b), STR("250-a\r\n250-b\r\n250 c\r\n"), "three lines");
	buf_clear(&b);
	reply_put(&b, 550, "5.7.1", STR("a\nb"), false);
	is_str(buf_view(&b), STR("550-5.7.1 a\r\n550 5.7.1 b\r\n"), "enhanced code on each");
	buf_clear(&b);
	reply_put(&b, 250, "2.0.0", STR(""), false);
	is_str(buf_view(&b), STR("250 2.0.0\r\n"), "no text");
	buf_clear(&b);
	reply_put(&b, 550, "", STR("x\xc3\xbc\001"), false);
	is_str(buf_view(&b), STR("550 x???\r\n"), "unprintable bytes");
	buf_clear(&b);
	reply_put(&b, 550, NULL, STR("x\xc3\xbc\rz"), true);
	is_str(buf_view(&b), STR("550 x\xc3\xbc?z\r\n"), "UTF-8");
	buf_free(&b);
}

static void test_footer(void)
{
	struct buf b = {0};

	reply_put(&b, 550, "5.1.1", STR("<a>: no"), false);
	reply_put_footer(&b, 0, STR("call us\\nor mail"));
	is_str(buf_view(&b), STR("550-5.1.1 <a>: no\r\n550-5.1.1 call us\r\n550 5.1.1 or mail\r\n"),
	    "footer");
	buf_clear(&b);
	buf_cstr(&b, "250 before\r\n");
	reply_put(&b, 450, NULL, STR("later"), false);
	reply_put_footer(&b, 12, STR("\\c, really\nsee x"));
	is_str(
	    buf_view(&b), STR("250 before\r\n450-later, really\r\n450 see x\r\n"), "joined footer");
	buf_free(&b);
}

/* Lines of the folded reply, which must be as long as they may be at most; *joined: their texts. */
static int folded(const char *dsn, str text, const char *footer, struct buf *joined)
{
	struct buf out = {0};
	str rest, line;
	int n = 0, bad = 0;

	buf_clear(joined);
	buf_cstr(&out, "250 before\r\n");
	reply_put(&out, 550, dsn, text, true);
	if (footer)
		reply_put_footer(&out, 12, str_of(footer));
	reply_fold(&out, 12);
	bad += !str_starts(buf_view(&out), STR("250 before\r\n550"));
	rest = str_from(buf_view(&out), 12);
	for (; rest.n && str_split(&rest, '\n', &line); n++) {
		size_t head = 4 + (dsn ? strlen(dsn) + 1 : 0);

		bad += line.n + 1 > (n || rest.n ? REPLY_LINE_LIMIT : REPLY_LINE_MAX) ||
		       line.p[line.n - 1] != '\r';
		bad += memcmp(line.p, "550", 3) != 0 || line.p[3] != (rest.n ? '-' : ' ');
		bad += dsn && memcmp(line.p + 4, dsn, strlen(dsn)) != 0;
		bad += !utf8_valid(line);
		buf_str(joined, str_head(str_from(line, head), line.n - head - 1));
	}
	buf_free(&out);
	return bad ? -1 : n;
}

static void test_fold(void)
{
	struct buf text = {0}, joined = {0};

	for (int i = 0; i < 50000; i++)
		buf_char(&text, 'x');
	is_int(folded("5.7.1", str_head(buf_view(&text), 2036), NULL, &joined), 1, "2048 bytes");
	is_int(folded("5.7.1", str_head(buf_view(&text), 2037), NULL, &joined), 5, "2049");
	is_int(folded("5.7.1", buf_view(&text), NULL, &joined), 100, "a word of 50,000");
	is_str(buf_view(&joined), buf_view(&text), "nothing is lost");
	ok(folded(NULL, buf_view(&text), NULL, &joined) > 0, "without an enhanced code");
	is_str(buf_view(&joined), buf_view(&text), "nothing is lost");
	is_int(folded("5.7.1", str_head(buf_view(&text), 400), "\\c and more of it, much more",
		   &joined),
	    1, "a footer behind it");
	is_int(folded("5.7.1", str_head(buf_view(&text), 2030), "\\c and more of it, much more",
		   &joined),
	    5, "a footer that makes the line too long");
	buf_clear(&text);
	for (int i = 0; i < 1000; i++)
		buf_cstr(&text, i % 10 ? "w\303\266rter" : " ");
	ok(folded("5.7.1", buf_view(&text), NULL, &joined) > 10, "words");
	buf_clear(&text);
	for (int i = 0; i < 1000; i++)
		buf_cstr(&text, "\342\202\254");
	ok(folded("5.7.1", buf_view(&text), NULL, &joined) > 5, "no character is broken");
	is_str(buf_view(&joined), buf_view(&text), "nothing is lost");
	buf_free(&text);
	buf_free(&joined);
}

static void test_split(void)
{
	int code;
	str dsn, text;

	ok(reply_split(STR("550 5.7.1 go away"), &code, &dsn, &text), "full reply");
	is_int(code, 550, "code");
	is_str(dsn, STR("5.7.1"), "enhanced code");
	is_str(text, STR("go away"), "text");
	ok(reply_split(STR("450 later"), &code, &dsn, &text) && dsn.n == 0,
	    "without enhanced code");
	ok(reply_split(STR("450"), &code, &dsn, &text) && text.n == 0, "only the code");
	ok(!reply_split(STR("45"), &code, &dsn, &text), "too short");
	ok(!reply_split(STR("150 x"), &code, &dsn, &text), "wrong class");
	ok(!reply_split(STR("4500 x"), &code, &dsn, &text), "four digits");
	ok(!reply_split(STR(""), &code, &dsn, &text), "nothing");
}

int main(void)
{
	test_read();
	test_lines();
	test_bounds();
	test_write();
	test_footer();
	test_split();
	test_fold();
	return done();
}
