#include "service/verdict.h"

#include "mail/addr.h"
#include "mail/dsn.h"

#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

static const struct row {
	int status;
	const char *dsn, *text;
} rows[] = {
    {EX_USAGE, "5.3.0", "command line usage error"},
    {EX_DATAERR, "5.6.0", "data format error"},
    {EX_NOINPUT, "5.3.0", "cannot open input"},
    {EX_NOUSER, "5.1.1", "user unknown"},
    {EX_NOHOST, "5.1.2", "host name unknown"},
    {EX_UNAVAILABLE, "5.3.0", "service unavailable"},
    {EX_SOFTWARE, "5.3.0", "internal software error"},
    {EX_OSERR, "4.3.0", "system resource problem"},
    {EX_OSFILE, "5.3.0", "critical OS file missing"},
    {EX_CANTCREAT, "5.2.0", "can't create user output file"},
    {EX_IOERR, "5.3.0", "input/output error"},
    {EX_TEMPFAIL, "4.3.0", "temporary failure"},
    {EX_PROTOCOL, "5.5.0", "remote error in protocol"},
    {EX_NOPERM, "5.7.0", "permission denied"},
    {EX_CONFIG, "5.3.5", "local configuration error"},
};

/* --- output */

/* Length of the character at the start of s, when it is one of UTF-8 that is not a control
 * character; else 0. */
static size_t printable(str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (n > s.n || !utf8_valid(str_head(s, n)))
		return 0;
	return c == 0xc2 && (unsigned char)s.p[1] < 0xa0 ? 0 : n;
}

str verdict_text(str output, struct arena *a)
{
	char *text = arena_alloc(a, output.n + 1);
	size_t n = 0;

	for (size_t i = 0, len; i < output.n; i += len) {
		len = printable(str_from(output, i));
		if (len > 0) {
			memcpy(text + n, output.p + i, len);
			n += len;
			continue;
		}
		len = 1;
		text[n++] = strchr("\t\n", output.p[i]) && output.p[i] ? ' ' : '_';
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	return str_mem(text, n);
}

/* --- failures */

static void failed(struct fate *f, const char *dsn, const char *reason)
{
	f->kind = dsn[0] == '5' ? RCPT_BOUNCED : RCPT_DEFERRED;
	f->dsn = dsn;
	f->reason = reason;
}

static void with_output(struct fate *f, str said, struct arena *a)
{
	f->diag_type = "x-unix";
	f->diag = f->reason;
	if (said.n == 0)
		return;
	f->diag = said.p;
	f->reason = arena_printf(a, "%s. Command output: %s", f->reason, said.p);
}

static void exit_status(struct fate *f, int status, const char *command, struct arena *a)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].status == status) {
			failed(f, rows[i].dsn, rows[i].text);
			return;
		}
	}
	failed(f, "5.3.0", arena_printf(a, "Command died with status %d: \"%s\"", status, command));
}

/* Whether the command gave the status code itself: "4.2.2 mailbox full". */
static bool own_code(struct fate *f, str said, struct arena *a)
{
	size_t n = dsn_valid(said);
	str text = str_trim(str_from(said, n));

	if (n == 0 || said.p[0] == '2')
		return false;
	/* A code alone is explained by the exit status. */
	failed(f, arena_cstr(a, str_head(said, n)), text.n > 0 ? arena_cstr(a, text) : f->reason);
	f->diag_type = "x-unix";
	f->diag = f->reason;
	return true;
}

static void ended(struct fate *f, int status, const char *command, str said, struct arena *a)
{
	if (WIFSIGNALED(status)) {
		failed(f, "4.3.0",
		    arena_printf(
			a, "Command died with signal %d: \"%s\"", WTERMSIG(status), command));
	} else {
		exit_status(f, WEXITSTATUS(status), command, a);
		if (own_code(f, said, a))
			return;
	}
	with_output(f, said, a);
}

void verdict_make(
    struct fate *f, const struct command_result *r, const char *command, struct arena *a)
{
	str said = verdict_text(buf_view(&r->output), a);

	switch (r->end) {
	case COMMAND_NOT_STARTED:
		failed(f, "4.3.0", arena_printf(a, "temporary failure: cannot %s", r->err.text));
		break;
	case COMMAND_NO_INPUT:
		failed(f, "4.3.0", "queue file read error");
		break;
	case COMMAND_CANCELLED:
		failed(f, "4.3.2", "mail system is stopping: the command was ended");
		break;
	case COMMAND_TIMEOUT:
		failed(f, "5.3.0", arena_printf(a, "Command time limit exceeded: \"%s\"", command));
		with_output(f, said, a);
		break;
	case COMMAND_ENDED:
		if (r->status == 0) {
			f->kind = RCPT_SENT;
			f->dsn = "2.0.0";
		} else {
			ended(f, r->status, command, said, a);
		}
		break;
	}
}
