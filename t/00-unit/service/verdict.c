/* What exit status and output of a command say of a delivery. */
#include "service/verdict.h"
#include "t/lib/tap.h"

static struct arena a;

static const char *text(str output)
{
	return verdict_text(output, &a).p;
}

static const char *result(enum command_end end, int status, const char *output)
{
	struct command_result r = {.end = end, .status = status};
	struct fate f = {0};
	const char *line;

	buf_cstr(&r.output, output);
	err_set(&r.err, "execute /x: No such file or directory");
	verdict_make(&f, &r, "/x", &a);
	line = arena_printf(&a, "%s %s (%s) %s; %s",
	    f.kind == RCPT_SENT	      ? "sent"
	    : f.kind == RCPT_BOUNCED  ? "bounced"
	    : f.kind == RCPT_DEFERRED ? "deferred"
				      : "?",
	    f.dsn, f.reason ? f.reason : "", f.diag_type ? f.diag_type : "", f.diag ? f.diag : "");
	buf_free(&r.output);
	return line;
}

static const char *exits(int code, const char *output)
{
	return result(COMMAND_ENDED, code << 8, output);
}

static void test_text(void)
{
	char big[5000];

	is_cstr(text(STR("")), "", "nothing");
	is_cstr(text(STR(" \n\t\n")), "", "white space");
	is_cstr(text(STR("  one\ttwo\nthree\n\n")), "  one two three", "one line");
	is_cstr(text(STR("a\0b\r\x01\x7f\x1b[31m")), "a_b____[31m", "control characters");
	is_cstr(text(STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")),
	    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "UTF-8");
	is_cstr(text(STR("\xff\xc0\xaf\xe2\x82")), "_____", "what is none, or cut off");
	is_cstr(text(STR("\xc2\x85x")), "__x", "control characters of UTF-8");
	memset(big, 'x', sizeof big);
	is_int((long long)verdict_text(str_mem(big, sizeof big), &a).n, 5000, "a long one");
}

static void test_exit(void)
{
	static const struct {
		int code;
		const char *want;
	} rows[] = {
	    {64, "bounced 5.3.0 (command line usage error)"},
	    {65, "bounced 5.6.0 (data format error)"},
	    {66, "bounced 5.3.0 (cannot open input)"},
	    {67, "bounced 5.1.1 (user unknown)"},
	    {68, "bounced 5.1.2 (host name unknown)"},
	    {69, "bounced 5.3.0 (service unavailable)"},
	    {70, "bounced 5.3.0 (internal software error)"},
	    {71, "deferred 4.3.0 (system resource problem)"},
	    {72, "bounced 5.3.0 (critical OS file missing)"},
	    {73, "bounced 5.2.0 (can't create user output file)"},
	    {74, "bounced 5.3.0 (input/output error)"},
	    {75, "deferred 4.3.0 (temporary failure)"},
	    {76, "bounced 5.5.0 (remote error in protocol)"},
	    {77, "bounced 5.7.0 (permission denied)"},
	    {78, "bounced 5.3.5 (local configuration error)"},
	    {79, "bounced 5.3.0 (Command died with status 79: \"/x\")"},
	    {1, "bounced 5.3.0 (Command died with status 1: \"/x\")"},
	    {255, "bounced 5.3.0 (Command died with status 255: \"/x\")"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *got = exits(rows[i].code, "");

		ok(str_starts(str_of(got), str_of(rows[i].want)), rows[i].want);
	}
	is_cstr(exits(0, "5.1.1 fine\n"), "sent 2.0.0 () ; ", "success, whatever is printed");
	is_cstr(exits(67, "who?\n"),
	    "bounced 5.1.1 (user unknown. Command output: who?) x-unix; who?", "with output");
	is_cstr(exits(75, ""), "deferred 4.3.0 (temporary failure) x-unix; temporary failure",
	    "without");
}

static void test_codes(void)
{
	is_cstr(exits(69, "4.2.2 full\n"), "deferred 4.2.2 (full) x-unix; full",
	    "softer than the status");
	is_cstr(exits(75, "5.2.2   full up\nreally\n"),
	    "bounced 5.2.2 (full up really) x-unix; full up really", "harder");
	is_cstr(exits(75, "5.7.1"), "bounced 5.7.1 (temporary failure) x-unix; temporary failure",
	    "a code alone");
	is_cstr(exits(75, "2.0.0 ok"),
	    "deferred 4.3.0 (temporary failure. Command output: 2.0.0 ok) x-unix; 2.0.0 ok",
	    "success is none");
	for (const char *const *t = (const char *const[]){" 5.1.1 x", "5.1 x", "5.1.1x", "5.1.1: x",
		 "550 5.1.1 x", "6.1.1 x", "5.1000.1 x", "5", "5.1.", NULL};
	     *t; t++)
		ok(str_starts(str_of(exits(75, *t)), STR("deferred 4.3.0 (temporary failure.")),
		    *t);
}

static void test_other_ends(void)
{
	is_cstr(result(COMMAND_ENDED, 9, ""),
	    "deferred 4.3.0 (Command died with signal 9: \"/x\") x-unix; "
	    "Command died with signal 9: \"/x\"",
	    "killed by a signal");
	is_cstr(result(COMMAND_ENDED, 15, "5.1.1 bye"),
	    "deferred 4.3.0 (Command died with signal 15: \"/x\". Command output: 5.1.1 bye) "
	    "x-unix; "
	    "5.1.1 bye",
	    "no code counts then");
	is_cstr(result(COMMAND_TIMEOUT, 0, "slow\n"),
	    "bounced 5.3.0 (Command time limit exceeded: \"/x\". Command output: slow) x-unix; "
	    "slow",
	    "time limit");
	is_cstr(result(COMMAND_NOT_STARTED, 0, ""),
	    "deferred 4.3.0 (temporary failure: cannot execute /x: No such file or directory) ; ",
	    "cannot be started");
	is_cstr(result(COMMAND_NO_INPUT, 0, "5.1.1 x"), "deferred 4.3.0 (queue file read error) ; ",
	    "the message could not be read");
	is_cstr(result(COMMAND_CANCELLED, 0, "5.1.1 x"),
	    "deferred 4.3.2 (mail system is stopping: the command was ended) ; ", "stopped");
}

int main(void)
{
	test_text();
	test_exit();
	test_codes();
	test_other_ends();
	arena_free(&a);
	return done();
}
