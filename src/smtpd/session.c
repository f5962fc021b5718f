#include "smtpd/session.h"

#include "log/event.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"
#include "smtpd/content.h"
#include "smtpd/ehlo.h"
#include "smtpd/input.h"
#include "smtpd/milters.h"
#include "smtpd/nonsmtp.h"
#include "smtpd/peer.h"
#include "smtpd/pipelining.h"
#include "smtpd/proxyproto.h"
#include "smtpd/restrict.h"
#include "smtpd/stress.h"
#include "smtpd/transcript.h"
#include "smtpwire/cmd.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAST = 1, JUNK = 2 };

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

void session_set_helo(struct session *s, str name)
{
	free(s->helo);
	s->helo = name.p ? str_dup(name) : NULL;
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

	if (s->content && (strcmp(stage, "DATA") == 0 || strcmp(stage, "BDAT") == 0))
		snprintf(where, sizeof(where), "%s (%llu bytes)", stage,
		    (unsigned long long)content_bytes(s));
	else
		snprintf(where, sizeof(where), "%s", stage);
	s->ending = s->failed = true;
	transcript_abort(s, how == WAIT_TIMEOUT	 ? "timeout"
			    : how == WAIT_CANCEL ? "service shutting down"
						 : "lost connection");
	if (how == WAIT_TIMEOUT) {
		log_smtpd_timeout(where, s->client.namaddr);
		s->io->deadline_all = FOREVER; /* it may be what has passed */
		session_reply(s, "421 4.4.2 %s Error: timeout exceeded", conf.myhostname);
	} else if (how == WAIT_CANCEL) {
		session_reply(s, "421 4.3.2 %s Error: service shutting down", conf.myhostname);
	} else if (strcmp(stage, "END-OF-MESSAGE") != 0) { /* leaving without QUIT harms nobody */
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

static bool too_many_errors(struct session *s)
{
	if (s->errors < stress_value(STRESS_HARD_ERRORS))
		return false;
	log_smtpd_errors(s->stage, s->client.namaddr);
	s->ending = true;
	transcript_abort(s, "too many errors");
	session_reply(s, "421 4.7.0 %s Error: too many errors", conf.myhostname);
	return true;
}

static void count_junk(struct session *s)
{
	if (++s->junk > stress_value(STRESS_JUNK))
		s->errors++;
}

static bool is_denied(struct session *s, const struct command_row *c)
{
	if (!s->denied || (c && c->run == cmd_quit))
		return false;
	session_reply(s, "503 5.7.0 Error: access denied for %s", s->client.namaddr);
	return true;
}

static void run_command(struct session *s, const struct command_row *c, str args)
{
	int index = (int)(c - commands);

	if (!s->denied)
		s->stage = c->verb;
	s->total[index]++;
	s->failed = false;
	if (c->flags & JUNK)
		count_junk(s);
	if (!is_denied(s, c) && pipelining_check(s, c->verb, c->flags & LAST))
		c->run(s, args);
	if (!s->failed)
		s->ok[index]++;
}

static void refuse_unknown(struct session *s, str verb)
{
	if (milters_unknown(s, verb))
		session_reply(s, "500 5.5.2 Error: command not recognized");
	else
		session_reply_text(s, buf_view(&s->verdict));
}

static void unknown_command(struct session *s, str verb, str line)
{
	s->stage = "UNKNOWN";
	s->total[CMD_UNKNOWN]++;
	if (is_denied(s, NULL))
		return;
	if (nonsmtp_command(verb, line)) {
		log_smtpd_non_smtp(s->client.namaddr, str_head(str_chomp(line), 100));
		session_reply(s, "221 2.7.0 Error: I can break rules, too. Goodbye.");
		s->ending = true;
	} else {
		refuse_unknown(s, verb);
	}
}

static void one_command(struct session *s, str line)
{
	const struct command_row *c;
	struct smtp_cmd cmd;

	transcript_in(s, line);
	smtp_cmd_split(line, &cmd);
	if (cmd.verb.n == 0) {
		s->stage = "UNKNOWN";
		session_reply(s, "500 5.5.2 Error: bad syntax");
		return;
	}
	if (input_is_noop(cmd.verb)) {
		session_reply(s, "250 2.0.0 Ok");
		return;
	}
	c = find_command(cmd.verb);
	if (!c)
		unknown_command(s, cmd.verb, line);
	else
		run_command(s, c, cmd.args);
}

static void read_commands(struct session *s)
{
	struct buf line = {0};

	while (!s->ending && !too_many_errors(s)) {
		enum wait w = input_line(s, &line);

		if (w != WAIT_OK)
			session_input_ended(s, w);
		else if (input_accept(s, &line))
			one_command(s, buf_view(&line));
		stress_request_ends(s->io);
		buf_free(&line); /* nothing is kept while the client thinks */
	}
	buf_free(&line);
}

void session_greet(struct session *s)
{
	s->denied = false;
	if (!restrict_connect(s)) {
		s->denied = true;
		session_reply_text(s, buf_view(&s->verdict));
	} else if (!milters_connect(s)) {
		session_reply_text(s, buf_view(&s->verdict));
	} else {
		session_reply(s, "220 %s", conf.smtpd_banner);
	}
}

/* Who is there; false when a proxy in front of us should have told and did not. */
static bool identify(struct session *s, const struct hostaddr *peer)
{
	struct proxyproto proxied = {.local = true};

	if (peer && *conf.smtpd_upstream_proxy_protocol && !proxyproto_read(s->io, &proxied))
		return false;
	if (proxied.local)
		peer_identify(s, peer, NULL);
	else
		peer_identify(s, &proxied.from, &proxied.to);
	return true;
}

/* Whoever the proxy speaks for will know that it is not its fault. */
static void turn_away(struct session *s)
{
	char text[512];
	int n = snprintf(
	    text, sizeof(text), "421 4.3.0 %.400s Server local error\r\n", conf.myhostname);
	int64_t deadline = deadline_in(1000);

	stream_write(s->io, text, (size_t)n, deadline);
	stream_flush(s->io, deadline);
}

static void serve(struct session *s)
{
	log_smtpd_connect(s->client.namaddr);
	ehlo_discard(s, &s->discard); /* not said yet, but so it is */
	if (pipelining_check(s, "CONNECT", true))
		session_greet(s);
	read_commands(s);
	stream_flush(s->io, deadline_in(10 * 1000));
	transaction_reset(s);
	milters_end(s);
	log_disconnect(s);
	transcript_end(s);
}

void session_run(struct stream *io, const struct hostaddr *peer)
{
	struct session *s = mem_zero(sizeof(*s));

	s->io = io;
	s->stage = "CONNECT";
	s->protocol = "SMTP";
	if (identify(s, peer))
		serve(s);
	else
		turn_away(s);
	forwarded_reset(s);
	session_set_helo(s, LOG_NONE);
	buf_free(&s->verdict);
	buf_free(&s->macro_text);
	free(s->connect_deferral);
	free(s->helo_deferral);
	arena_free(&s->tx.arena);
	arena_free(&s->arena);
	free(s);
}
