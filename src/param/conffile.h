/* The common ground of main.cf and master.cf: logical lines, "name = value", {...} groups. */
#ifndef POSTERN_PARAM_CONFFILE_H
#define POSTERN_PARAM_CONFFILE_H

#include "base/buf.h"
#include "base/err.h"

#define CONFFILE_LIMIT (4 << 20) /* bytes of a configuration file, and of one expanded value */

struct conffile {
	str rest;  /* what is still to be read */
	int line;  /* number of the next line of the file */
	int first; /* where the logical line that was read last begins */
};

/* The next logical line into out (cleared first): continuation lines joined, lines that are empty
 * or begin with # left out, white space at its end removed. False at the end of the file. A line
 * that begins with white space and has nothing to continue is handed out too: the caller warns and
 * goes on. */
bool conffile_next(struct conffile *f, struct buf *out);

/* Splits "name = value": both trimmed, slices of line. -1 and err: missing '=' or name. */
int conffile_assignment(str line, str *name, str *value, struct err *err);

/* What stands inside "{ ... }", trimmed. -1 and err when the group does not end where the text
 * ends; inner is then the best guess. */
int conffile_braces(str text, str *inner, struct err *err);

#define CONFFILE_WHITE " \t\r\n\f\v"
/* The next word of a line of master.cf; white space within braces is part of it. False at the end.
 */
bool conffile_word(str *rest, str *word);

/* The index behind the brace that closes the one at text.p[0], or -1. */
ptrdiff_t conffile_close(str text, char open, char close);

#endif
