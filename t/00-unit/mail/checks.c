/* Header and body checks: actions, their arguments, and what they leave of a line. */
#include "mail/checks.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"

static struct checks server = {
    .where = C_CLEANUP,
    .params = {"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"},
    .lists = {"inline:{{reject = REJECT go away}, {bare = REJECT}, {low = warn  spaced  text },"
	      "{nothing = }, {what = BOGUS x}, {number = 550 5.1.1 no}, {ok = OK}, {dunno = dunno},"
	      "{prep = PREPEND X-New: 1}, {prepbad = PREPEND no header}, {prepempty = PREPEND},"
	      "{repl = REPLACE X-Other: 2}, {strip = STRIP why}, {ignore = IGNORE why},"
	      "{filter = FILTER smtp:[host]:25}, {filterbad = FILTER host}, {filterempty = FILTER},"
	      "{redir = REDIRECT a@b.test}, {redirbad = REDIRECT nobody}, {redirend = REDIRECT a@},"
	      "{bcc = BCC a@b.test}, {bccbad = BCC @b}, {hold = HOLD}, {disc = DISCARD x},"
	      "{pass = PASS}, {info = INFO}}",
	"", "", "inline:{{x = PREPEND not a header}, {y = REPLACE anything}, {z = IGNORE}}"},
};
static struct checks client = {
    .where = C_CLIENT,
    .params = {"smtp_header_checks", "a", "b", "c"},
    .lists = {"inline:{{reject = REJECT}, {hold = HOLD}, {strip = STRIP}, {warn = WARN}}", "", "",
	"fail:always"},
};

static void is_action(const struct checks *c, enum check_class class, const char *key,
    enum check_action want, const char *text)
{
	struct check_result r = {0};
	struct err err;

	ok(checks_look(c, class, str_of(key), &r, &err) == 0 && r.action == want, key);
	if (text)
		is_str(r.text, str_of(text), "its text");
	check_result_free(&r);
}

static void test_actions(void)
{
	is_action(&server, CHECK_HEADER, "reject", CHECK_REJECT, "go away");
	is_action(&server, CHECK_HEADER, "bare", CHECK_REJECT, "");
	is_action(&server, CHECK_HEADER, "low", CHECK_WARN, "spaced  text");
	is_action(&server, CHECK_HEADER, "absent", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "what", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "number", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "ok", CHECK_OK, NULL);
	is_action(&server, CHECK_HEADER, "dunno", CHECK_DUNNO, NULL);
	is_action(&server, CHECK_HEADER, "prep", CHECK_PREPEND, "X-New: 1");
	is_action(&server, CHECK_HEADER, "prepbad", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "prepempty", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "repl", CHECK_REPLACE, "X-Other: 2");
	is_action(&server, CHECK_HEADER, "filter", CHECK_FILTER, "smtp:[host]:25");
	is_action(&server, CHECK_HEADER, "filterbad", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "filterempty", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "redir", CHECK_REDIRECT, "a@b.test");
	is_action(&server, CHECK_HEADER, "redirbad", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "redirend", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "bcc", CHECK_BCC, "a@b.test");
	is_action(&server, CHECK_HEADER, "bccbad", CHECK_NONE, NULL);
	is_action(&server, CHECK_HEADER, "hold", CHECK_HOLD, "");
	is_action(&server, CHECK_HEADER, "disc", CHECK_DISCARD, "x");
	is_action(&server, CHECK_HEADER, "pass", CHECK_PASS, "");
	is_action(&server, CHECK_HEADER, "info", CHECK_INFO, "");
	is_action(&server, CHECK_MIME, "reject", CHECK_NONE, NULL);
	is_action(&server, CHECK_BODY, "x", CHECK_PREPEND, "not a header");
	is_action(&server, CHECK_BODY, "y", CHECK_REPLACE, "anything");
}

static void test_client(void)
{
	struct check_result r = {0};
	struct err err;

	is_action(&client, CHECK_HEADER, "reject", CHECK_NONE, NULL);
	is_action(&client, CHECK_HEADER, "hold", CHECK_NONE, NULL);
	is_action(&client, CHECK_HEADER, "strip", CHECK_STRIP, "");
	is_action(&client, CHECK_HEADER, "warn", CHECK_WARN, "");
	ok(checks_look(&client, CHECK_BODY, STR("x"), &r, &err) < 0, "a table that fails");
	check_result_free(&r);
}

static void test_verbs(void)
{
	is_cstr(check_verb(CHECK_WARN), "warning", "WARN is logged as warning");
	is_cstr(check_verb(CHECK_REJECT), "reject", "REJECT as reject");
	ok(!check_verb(CHECK_IGNORE) && !check_verb(CHECK_DUNNO) && !check_verb(CHECK_NONE),
	    "IGNORE, DUNNO and nothing are not logged");
}

/* Pieces of lines, each with the key of its action ("" none), as wire form. */
static void is_line(const char *want, const char *const *keys, const char *const *pieces,
    const unsigned *which, size_t n, const char *what)
{
	struct buf out = {0};
	bool open = false;

	for (size_t i = 0; i < n; i++) {
		struct check_result r = {0};

		if (*keys[i])
			checks_look(&server, CHECK_BODY, str_of(keys[i]), &r, NULL);
		checks_put_piece(&out, &open, str_of(pieces[i]), which[i], &r);
		check_result_free(&r);
	}
	is_cstr(buf_text(&out), want, what);
	buf_free(&out);
}

static void test_pieces(void)
{
	static const unsigned whole[] = {LINE_FIRST | LINE_LAST, LINE_FIRST | LINE_LAST};
	static const unsigned cut[] = {LINE_FIRST, 0, LINE_LAST};

	is_line("a\r\n..b\r\n", (const char *[]){"", ""}, (const char *[]){"a", ".b"}, whole, 2,
	    "lines pass, stuffed");
	is_line("b\r\n", (const char *[]){"z", ""}, (const char *[]){"a", "b"}, whole, 2,
	    "a line is dropped");
	is_line("not a header\r\na\r\nb\r\n", (const char *[]){"x", ""}, (const char *[]){"a", "b"},
	    whole, 2, "text in front of a line");
	is_line("anything\r\nb\r\n", (const char *[]){"y", ""}, (const char *[]){"a", "b"}, whole,
	    2, "a line is replaced");
	is_line("ac\r\n", (const char *[]){"", "z", ""}, (const char *[]){"a", "b", "c"}, cut, 3,
	    "the middle of a long line is dropped");
	is_line("a\r\n", (const char *[]){"", "z", "z"}, (const char *[]){"a", "b", "c"}, cut, 3,
	    "its end is dropped: the line still ends");
	is_line("..c\r\n", (const char *[]){"z", "z", ""}, (const char *[]){"a", "b", ".c"}, cut, 3,
	    "its start is dropped: what is left is stuffed");
	is_line("", (const char *[]){"z", "z", "z"}, (const char *[]){"a", "b", "c"}, cut, 3,
	    "all is dropped");
	is_line("a\r\nnot a header\r\n..bc\r\n", (const char *[]){"", "x", ""},
	    (const char *[]){"a", ".b", "c"}, cut, 3, "text in front of a piece begins a line");
}

int main(void)
{
	tmpconf("");
	checks_open(&server);
	checks_open(&client);
	ok(checks_any(&server), "there are checks");
	is_int(checks_mime_flags(&server), MIME_LINES, "body checks need lines");
	test_actions();
	test_client();
	test_verbs();
	test_pieces();
	return done();
}
