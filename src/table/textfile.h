/* Reads tables that people write: logical lines, "#" comments, continuation by leading white space.
 */
#ifndef POSTERN_TABLE_TEXTFILE_H
#define POSTERN_TABLE_TEXTFILE_H

#include "base/buf.h"
#include "base/err.h"
#include <stdio.h>
#include <sys/stat.h>

#define TEXTFILE_LINE_MAX (4 * 1024 * 1024) /* bytes of a logical line */

struct textfile {
	FILE *f;
	const char *name; /* the caller's; for messages */
	int line;	  /* where the logical line began */
	int last;	  /* physical lines read so far */
	struct stat st;	  /* of the open file */
	struct buf text;
	bool nul_seen; /* the logical line has a NUL byte: it is cut there */
};

/* 0; -1 and err, whose code is the errno: "open <what>path: ...". A directory is an error too. */
int textfile_open(struct textfile *tf, const char *path, const char *what, struct err *err);
/* Reads from memory (which must stay); name is for messages. */
int textfile_memory(struct textfile *tf, str text, const char *name, struct err *err);
/* Reads what somebody else opened (standard input); textfile_close() does not close it. */
void textfile_stdio(struct textfile *tf, FILE *f, const char *name);
/* The next logical line, without line ends and trailing white space, in *line (valid until the next
 * call). 1, 0 at the end, -1 and err (line too long, read error). */
int textfile_next(struct textfile *tf, str *line, struct err *err);
void textfile_close(struct textfile *tf);

/* Cuts a line into key and value as tables have them: a key in double quotes may hold white space;
 * the quotes stay with it. 0; -1 with *what pointing to what is wrong; *warn to what is odd, or
 * NULL. */
int textfile_pair(str line, str *key, str *value, const char **what, const char **warn);

/* The rules of "{ { rule }, { rule } }" as lines. -1 and err for bad syntax; type is for messages.
 */
int textfile_inline(str name, struct buf *lines, const char *type, struct err *err);

#endif
