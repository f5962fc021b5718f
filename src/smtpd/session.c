#include "smtpd/session.h"

#include "base/clock.h"
#include "log/event.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "service/service.h"
#include "smtpd/content.h"
#include "smtpd/nonsmtp.h"
#include "smtpd/peer.h"
#include "smtpd/pipelining.h"
#include "smtpd/restrict.h"
#include "smtpd/stress.h"
#include "smtpwire/cmd.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAST = 1, JUNK = 2, HELLO = 4 };

static const struct command_row {
	const char *verb;
	void (*run)(struct session *s, str args);
	int flags;
} commands[] = {
#define COMMAND(verb, handler, flags) {#verb, cmd_##handler, flags},
#include "smtpd/command.tbl"
#undef COMMAND
};

static const char *const counter_name[CMD_COUNT] = {
#define COMMAND(verb, handler, flags) #handler,
#include "smtpd/command.tbl"

#undef COMMAND
    "unknown",
};

int64_t session_deadline(const struct session *s)
{
	(void)s;
	return deadline_in(stress_value(STRESS_TIMEOUT) * 1000L);
}

bool session_flush(struct session *s)
{
	return stream_flush(s->io, session_deadline(s)) == WAIT_OK;
}

/* "ehlo=1 mail=1 rcpt=1/2 commands=3/4" */
static void counters(const struct session *s, struct buf *out)
{
	unsigned ok = 0, total = 0;

	for (int i = 0; i < CMD_COUNT; i++) {
		if (s->total[i] == 0)
			continue;
		buf_printf(out, "%s=%u", counter_name[i], s->ok[i]);
		if (s->ok[i] != s->total[i])
			buf_printf(out, "/%u", s->total[i]);
		buf_char(out, ' ');
		ok += s->ok[i];
		total += s->total[i];
	}
	buf_printf(out, "commands=%u", ok);
	if (ok != total || total == 0)
		buf_printf(out, "/%u", total);
}

static void log_disconnect(struct session *s)
{
	struct buf text = {0};

	counters(s, &text);
	log_smtpd_disconnect(s->client.namaddr, buf_text(&text));
	buf_free(&text);
}

void session_input_ended(struct session *s, enum wait how)
{
	const char *stage = s->stage;
	char where[64];

	if (s->content && s->bdat == BDAT_NONE)
		snprintf(where, sizeof(where), "%s (%llu bytes)", stage,
		    (unsigned long long)content_bytes(s));
	else
		snprintf(where, sizeof(where), "%s", stage);
	s->ending = s->failed = true;
	if (how == WAIT_TIMEOUT) {
		log_smtpd_timeout(where, s->client.namaddr);
		session_reply(s, "421 4.4.2 %s Error: timeout exceeded", conf.myhostname);
		session_flush(s);
	} else if (how != WAIT_CANCEL) {
		log_smtpd_lost(where, s->client.namaddr);
	}
}

static const struct command_row *find_command(str verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq_nocase(verb, str_of(commands[i].verb)))
			return &commands[i];
	return NULL;
}

static bool too_many_errors(struct session *s, const char *verb)
{
	if (s->errors < stress_value(STRESS_HARD_ERRORS))
		return false;
	s->stage = verb;
	log_smtpd_errors(verb, s->client.namaddr);
	session_reply(s, "421 4.7.0 %s Error: too many errors", conf.myhostname);
	return true;
}

static void count_junk(struct session *s)
{
	if (++s->junk > stress_value(STRESS_JUNK)) {
		s->junk = 0;
		s->errors++;
	}
}

static void run_command(struct session *s, const struct command_row *c, str args)
{
	int index = (int)(c - commands);

	s->stage = c->verb;
	s->total[index]++;
	if (c->flags & JUNK)
		count_junk(s);
	s->failed = false;
	if (!(c->flags & HELLO) && conf.smtpd_helo_required && !s->helo) {
		session_reply(s, c->run == cmd_etrn ? "503 Error: send HELO/EHLO first"
						    : "503 5.5.1 Error: send HELO/EHLO first");
	} else {
		c->run(s, args);
	}
	if (!s->failed)
		s->ok[index]++;
}

static void unknown_command(struct session *s, str verb, str line)
{
	s->stage = "UNKNOWN";
	s->total[CMD_UNKNOWN]++;
	if (nonsmtp_command(verb, line)) {
		log_smtpd_non_smtp(s->client.namaddr, str_head(str_trim(line), 100));
		session_reply(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
		s->ending = true;
	} else {
		session_reply(s, "500 5.5.2 Error: command not recognized");
	}
}

static void one_command(struct session *s, str line, bool whole)
{
	const struct command_row *c;
	struct smtp_cmd cmd;

	smtp_cmd_split(line, &cmd);
	if (cmd.verb.n == 0) {
		s->stage = "UNKNOWN";
		s->total[CMD_UNKNOWN]++;
		session_reply(s, "500 5.5.2 Error: bad syntax");
		return;
	}
	c = find_command(cmd.verb);
	if (too_many_errors(s, c ? c->verb : "UNKNOWN"))
		return;
	if (!c) {
		unknown_command(s, cmd.verb, line);
		return;
	}
	if (!whole) {
		s->total[CMD_UNKNOWN]++;
		session_reply(s, "500 5.5.2 Error: line too long");
		return;
	}
	if (!pipelining_check(s, c->verb, c->flags & LAST))
		return;
	run_command(s, c, cmd.args);
}

/* Skips the rest of a line that was too long. */
static enum wait skip_line(struct session *s, int64_t deadline)
{
	enum wait w;
	str line;

	do
		w = stream_gets(s->io, 4096, &line, deadline);
	while (w == WAIT_LIMIT);
	return w;
}

static bool bare_newline(struct session *s, str line)
{
	if (!s->bare_newline_policy || strcasecmp(conf.smtpd_forbid_bare_newline, "reject") != 0 ||
	    line.n < 1 || (line.n >= 2 && line.p[line.n - 2] == '\r'))
		return false;
	restrict_log(s, "reject", "bare <LF> received");
	session_reply(s, "%d 5.5.2 %s Error: bare <LF> received",
	    conf.smtpd_forbid_bare_newline_reject_code, conf.myhostname);
	s->ending = true;
	return true;
}

static void read_commands(struct session *s)
{
	while (!s->ending) {
		int64_t deadline = session_deadline(s);
		enum wait w;
		str line;
		bool whole = true;

		if (stream_buffered(s->io) == 0 &&
		    ((w = stream_flush(s->io, deadline)) != WAIT_OK ||
			(w = stream_wait_input(s->io, deadline)) != WAIT_OK)) {
			session_input_ended(s, w);
			break;
		}
		stress_request_begins(s->io);
		w = stream_gets(s->io, conf.line_length_limit, &line, deadline);
		if (w == WAIT_LIMIT) {
			char keep[64];
			size_t n = line.n < sizeof(keep) ? line.n : sizeof(keep);
			memcpy(keep, line.p, n);
			whole = false;
			w = skip_line(s, deadline);
			line = str_mem(keep, n);
		}
		if (w != WAIT_OK) {
			session_input_ended(s, w);
			break;
		}
		if (whole && bare_newline(s, line))
			break;
		one_command(s, line, whole);
		stress_request_ends(s->io);
	}
}

/* Greets, or refuses the connection where the rules say so before RCPT. */
static void greet(struct session *s)
{
	if (!restrict_connect(s)) {
		session_reply_text(s, buf_view(&s->verdict));
		s->ending = true;
		return;
	}
	session_reply(s, "220 %s", conf.smtpd_banner);
}

void session_run(struct stream *io, const struct hostaddr *peer)
{
	struct session *s = mem_zero(sizeof(*s));

	s->io = io;
	s->stage = "CONNECT";
	s->protocol = "SMTP";
	peer_identify(s, peer);
	log_smtpd_connect(s->client.namaddr);
	pipelining_setup(s);
	greet(s);
	read_commands(s);
	stream_flush(io, deadline_in(10 * 1000));
	transaction_reset(s);
	log_disconnect(s);
	buf_free(&s->verdict);
	arena_free(&s->tx.arena);
	arena_free(&s->arena);
	free(s);
}
