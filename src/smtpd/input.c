#include "smtpd/input.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "smtpd/restrict.h"
#include "smtpd/stress.h"
#include "table/table.h"

static struct maps *filter;

void input_setup(void)
{
	filter = maps_open("smtpd_command_filter", conf.smtpd_command_filter, TABLE_FOLD);
}

/* Skips the rest of a line that is too long. */
static enum wait skip_line(struct session *s, int64_t deadline)
{
	enum wait w;
	str line;

	do
		w = stream_gets(s->io, 4096, &line, deadline);
	while (w == WAIT_LIMIT);
	return w;
}

static bool whole_line_is_here(struct session *s)
{
	str have;

	return stream_buffered(s->io) > 0 && stream_peek(s->io, 0, &have, FOREVER) == WAIT_OK &&
	       str_chr(have, '\n') >= 0;
}

enum wait input_line(struct session *s, struct buf *line)
{
	int64_t deadline = session_deadline(s);
	enum wait w;
	str got;

	if (!whole_line_is_here(s)) {
		if ((w = stream_flush(s->io, deadline)) != WAIT_OK)
			return w;
		if (stream_buffered(s->io) == 0 &&
		    (w = stream_wait_input(s->io, deadline)) != WAIT_OK)
			return w;
	}
	stress_request_begins(s->io);
	w = stream_gets(s->io, (size_t)conf.line_length_limit, &got, deadline);
	buf_str(line, got);
	if (w == WAIT_LIMIT) {
		log_warn("%s: request longer than %lld: %.30s...", s->client.namaddr,
		    (long long)conf.line_length_limit, buf_text(line));
		w = skip_line(s, deadline);
		buf_cstr(line, "\r\n");
	}
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

static void transform(struct session *s, struct buf *line)
{
	struct buf value = {0};
	str command = str_trim(buf_view(line));
	struct err err;

	if (maps_empty(filter))
		return;
	switch (maps_get(filter, command, &value, &err)) {
	case TABLE_FOUND:
		log_info("%s: replacing command \"%.*s\" with \"%s\"", s->client.namaddr,
		    STR_FMT(str_head(command, 100)), buf_text(&value));
		buf_clear(line);
		buf_str(line, buf_view(&value));
		break;
	case TABLE_ERROR:
		log_warn("smtpd_command_filter: %s", err.text);
		break;
	default:
		break;
	}
	buf_free(&value);
}

bool input_accept(struct session *s, struct buf *line)
{
	if (bare_newline(s, buf_view(line)))
		return false;
	if (conf.smtputf8_enable && !utf8_valid(buf_view(line))) {
		s->stage = "UNKNOWN";
		session_reply(s, "500 5.5.2 Error: bad UTF-8 syntax");
		return false;
	}
	transform(s, line);
	return true;
}

bool input_is_noop(str verb)
{
	str rest = str_of(conf.smtpd_noop_commands), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, verb))
			return true;
	return false;
}
