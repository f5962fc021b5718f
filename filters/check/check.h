/* A site's own check of a message: a program, run without a shell.
 *
 * It gets the message on its standard input, lines ended by LF, and says by its exit status what
 * becomes of it (sysexits.h):
 *     0                 it passes; with "replaces", as the program prints it
 *     65 67 69 77       it is refused (EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_NOPERM)
 *     99                it is accepted and forgotten (the program has put it elsewhere)
 *     anything else     not now: it comes again later
 * The first line that it prints is the reason, with an enhanced status code in front or not. A
 * program that cannot be run, is killed or takes too long means "not now". */
#ifndef POSTERN_FILTERS_CHECK_H
#define POSTERN_FILTERS_CHECK_H

#include "loop/stream.h"
#include "smtpwire/spool.h"

struct check {
	const char *const *argv; /* NULL: everything passes */
	bool replaces;
	int seconds;	       /* time limit */
	const char *directory; /* where it runs, and of temporary files */
	int errors;	       /* its standard error; -1: none */
};

enum check_verdict { CHECK_PASS, CHECK_REFUSE, CHECK_DISCARD, CHECK_DEFER };
const char *check_verdict_name(enum check_verdict v); /* "pass", "refuse", ... */

struct check_outcome {
	enum check_verdict verdict;
	struct buf text;       /* "5.7.1 why", printable; "" when it passes */
	struct spool *content; /* takes the message's place; NULL: it stays as it is */
};

/* Splits a command line at white space; {a b} is one word. Ends with NULL; malloc'ed for good. */
const char *const *check_command(const char *line);
/* message: in wire form, ended. env: "NAME=value" beside a PATH, ends with NULL. May wait. */
void check_run(
    const struct check *c, struct spool *message, const char *const *env, struct check_outcome *r);
void check_outcome_free(struct check_outcome *r);

/* Gives a message in wire form to a pipe, as lines that end in LF. WAIT_ERROR with EPIPE when the
 * reader does not want all of it. May wait. */
enum wait check_feed(struct stream *to, struct spool *message, int64_t deadline);

#endif
