#include "filters/smtpfilter/smtpfilter.h"

#include "base/mem.h"
#include "log/log.h"
#include "smtpwire/cmd.h"
#include "smtpwire/esmtp.h"

#include <stdlib.h>

/* --- replies */

void session_say(struct session *s, const char *text)
{
	stream_printf(s->io, session_deadline(), "%s\r\n", text);
}

void session_pass(struct session *s, size_t times)
{
	str text = buf_view(&s->reply.text);

	for (size_t i = 0; i < times; i++) {
		str rest = text, line;

		while (str_split(&rest, '\n', &line))
			stream_printf(s->io, session_deadline(), "%.*s\r\n", STR_FMT(line));
	}
	if (s->reply.code == 421)
		s->ending = true;
}

/* --- the transaction */

void session_forget(struct session *s)
{
	arena_free(&s->arena);
	s->sender = (str){NULL, 0};
	s->rcpts = NULL;
	s->nrcpts = s->rcpts_cap = 0;
}

static void add_rcpt(struct session *s, str path)
{
	if (s->nrcpts == s->rcpts_cap) {
		size_t cap = s->rcpts_cap ? s->rcpts_cap * 2 : 4;
		str *more = arena_alloc(&s->arena, cap * sizeof(*more));

		if (s->nrcpts)
			memcpy(more, s->rcpts, s->nrcpts * sizeof(*more));
		s->rcpts = more;
		s->rcpts_cap = cap;
	}
	s->rcpts[s->nrcpts++] = arena_str(&s->arena, path);
}

/* What is between < and > behind the keyword; the server behind judges the syntax. */
static str path_of(str args)
{
	ptrdiff_t from = str_chr(args, '<'), to = str_rchr(args, '>');

	return from >= 0 && to > from
		   ? str_head(str_from(args, (size_t)from + 1), (size_t)(to - from - 1))
		   : STR("");
}

/* --- commands */

static void pass_on(struct session *s, str line, str args)
{
	(void)args;
	if (next_ask(s, line) == 0)
		session_pass(s, 1);
}

/* What the filter cannot do, or must see itself, is not offered. */
static bool offered(str line)
{
	static const char *const words[] = {"PIPELINING", "SIZE", "VRFY", "XFORWARD",
	    "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8"};
	str word, rest = line;

	if (!str_word(&rest, " \t", &word))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(word, str_of(words[i])))
			return true;
	return false;
}

static void pass_capabilities(struct session *s)
{
	struct ehlo_caps caps = {0};
	struct buf text = {0};
	str line, rest;

	for (unsigned i = 0; reply_get_line(&s->reply, i, &line); i++) {
		if (i > 0 && !offered(line))
			continue;
		if (i > 0)
			ehlo_cap(&caps, line);
		buf_printf(&text, "%s%.*s", i ? "\n" : "", STR_FMT(line));
	}
	s->size_limit = caps.size;
	rest = buf_view(&text);
	while (str_split(&rest, '\n', &line))
		stream_printf(
		    s->io, session_deadline(), "250%c%.*s\r\n", rest.p ? '-' : ' ', STR_FMT(line));
	buf_free(&text);
}

static void hello(struct session *s, str line, str args)
{
	char *as_smtp = NULL;

	session_forget(s);
	s->lmtp = str_starts_nocase(line, STR("LHLO"));
	if (s->lmtp) {
		struct buf b = {0};

		buf_printf(&b, "EHLO %.*s", STR_FMT(args));
		as_smtp = b.p;
		line = buf_view(&b);
	}
	if (next_ask(s, line) == 0) {
		if (s->reply.code == 250)
			pass_capabilities(s);
		else
			session_pass(s, 1);
	}
	free(as_smtp);
}

static void helo(struct session *s, str line, str args)
{
	session_forget(s);
	s->lmtp = false;
	pass_on(s, line, args);
}

static void mail(struct session *s, str line, str args)
{
	if (next_ask(s, line) < 0)
		return;
	if (s->reply.code / 100 == 2) {
		session_forget(s);
		s->sender = arena_str(&s->arena, path_of(args));
	}
	session_pass(s, 1);
}

static void rcpt(struct session *s, str line, str args)
{
	if (next_ask(s, line) < 0)
		return;
	if (s->reply.code / 100 == 2)
		add_rcpt(s, path_of(args));
	session_pass(s, 1);
}

static void rset(struct session *s, str line, str args)
{
	session_forget(s);
	pass_on(s, line, args);
}

/* Without recipients the server has the answer. */
static void data(struct session *s, str line, str args)
{
	if (s->nrcpts > 0 && args.n == 0) {
		content_receive(s);
		return;
	}
	if (next_ask(s, line) < 0)
		return;
	if (s->reply.code == 354) { /* it must not wait for a message now */
		log_warn("%s: accepts DATA without recipients", setup.next_name);
		next_lost(s, WAIT_ERROR);
		return;
	}
	session_pass(s, 1);
}

static void keep(struct session *s, const char **where, str word)
{
	struct buf value = {0};
	bool unavailable;
	str name;

	if (xattr_get(word, &name, &value, &unavailable))
		*where = unavailable ? NULL : arena_cstr(&s->client_arena, buf_view(&value));
	buf_free(&value);
}

static void xforward(struct session *s, str line, str args)
{
	str word;

	if (next_ask(s, line) < 0)
		return;
	if (s->client_arena.total > 65536) {
		arena_free(&s->client_arena);
		s->client_name = s->client_addr = s->client_helo = NULL;
	}
	while (s->reply.code / 100 == 2 && str_word(&args, " \t", &word)) {
		if (str_starts_nocase(word, STR("NAME=")))
			keep(s, &s->client_name, word);
		else if (str_starts_nocase(word, STR("ADDR=")))
			keep(s, &s->client_addr, word);
		else if (str_starts_nocase(word, STR("HELO=")))
			keep(s, &s->client_helo, word);
	}
	session_pass(s, 1);
}

static void quit(struct session *s, str line, str args)
{
	pass_on(s, line, args);
	s->ending = true;
}

static const struct {
	const char *verb;
	void (*run)(struct session *s, str line, str args);
} commands[] = {
    {"EHLO", hello},
    {"LHLO", hello},
    {"HELO", helo},
    {"MAIL", mail},
    {"RCPT", rcpt},
    {"DATA", data},
    {"RSET", rset},
    {"NOOP", pass_on},
    {"VRFY", pass_on},
    {"XFORWARD", xforward},
    {"QUIT", quit},
};

/* A line that two servers could take apart differently is passed to none. */
static bool sound(str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\r' || line.p[i] == '\n' || line.p[i] == '\0')
			return false;
	return true;
}

static void run_command(struct session *s, str line)
{
	struct smtp_cmd cmd;

	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	smtp_cmd_split(line, &cmd);
	if (!sound(line)) {
		session_say(s, "500 5.5.2 Error: bad syntax");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (str_eq_nocase(cmd.verb, str_of(commands[i].verb))) {
			commands[i].run(s, line, cmd.args);
			return;
		}
	}
	session_say(s, "502 5.5.1 Error: command not implemented");
}

static bool next_line(struct session *s, struct buf *line)
{
	enum wait w = stream_flush(s->io, session_deadline());
	str piece;

	buf_clear(line);
	if (w == WAIT_OK)
		w = stream_gets(s->io, LINE_MAX_LENGTH, &piece, session_deadline());
	if (w == WAIT_OK) {
		buf_str(line, piece);
		return true;
	}
	if (w == WAIT_LIMIT)
		session_say(s, "500 5.5.6 Error: line too long");
	else if (w == WAIT_TIMEOUT)
		session_say(s, "421 4.4.2 Error: timeout exceeded");
	else if (w == WAIT_CANCEL)
		session_say(s, "421 4.3.2 Error: service shutting down");
	return false;
}

void session_serve(struct stream *client)
{
	struct session *s = mem_zero(sizeof(*s));
	struct buf line = {0};

	s->io = client;
	if (next_connect(s) == 0) {
		session_pass(s, 1);
		s->ending = s->reply.code / 100 != 2;
	}
	while (!s->ending && next_line(s, &line))
		run_command(s, buf_view(&line));
	stream_flush(s->io, deadline_in(1000));
	buf_free(&line);
	stream_free(s->next);
	reply_free(&s->reply);
	arena_free(&s->client_arena);
	arena_free(&s->arena);
	free(s);
}
