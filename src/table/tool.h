/* What postmap and postalias have in common: query, list, delete, and build the files of tables.
 * Only for these commands: errors end the process (log_fatal). */
#ifndef POSTERN_TABLE_TOOL_H
#define POSTERN_TABLE_TOOL_H

#include "table/make.h"
#include "table/table.h"
#include "table/textfile.h"

struct tool {
	const char *program;   /* "postmap" */
	const char *usage;     /* "[-bf...] ..." for the fatal message */
	const char *separator; /* between key and value: "\t" */
	/* options */
	const char *query, *delete;
	bool list, no_fold, incremental, keep_root, default_mode, replace, ignore_duplicates;
	bool no_utf8, files, json;
	enum make_nul nul;
	/* Takes key and value out of a logical line, or warns and returns false. */
	bool (*parse)(struct tool *t, const struct textfile *tf, str line, struct buf *key,
	    struct buf *value);
	/* Entries that every new file gets; may be NULL. */
	void (*extra)(struct tool *t, struct make *m, const char *spec);
	/* Gives the keys of "-q -" to tool_show_found(); NULL: one in each line. */
	void (*keys)(struct tool *t, struct table **v, size_t n);
	size_t found;
};

/* Notes -q, -d or -s; fatal when there was one already. */
void tool_request(struct tool *t, int option, const char *key);
/* Notes -r or -w: the last one counts. */
void tool_duplicates(struct tool *t, int option);
/* Reads main.cf and opens the log; dir is that of -c, or NULL. */
void tool_config(struct tool *t, const char *dir);
/* Does what the options say to the tables named by args; the exit status. May wait. */
int tool_run(struct tool *t, char **args, int nargs);

/* Looks a key up in the tables and prints what is found first; with_key in front of it. */
bool tool_show_found(struct tool *t, struct table **v, size_t n, str key, bool with_key);
/* "FILE, line N: " and the text, as a warning. */
void tool_warn(const struct textfile *tf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* (toolmake.c) Builds or updates the table from its source, or standard input. */
void tool_make(struct tool *t, str type, str name);
/* (toolmake.c) Deletes a key: 0, 1 not there. */
int tool_make_delete(struct tool *t, str type, str name, char **keys, size_t nkeys);
/* Base64 in the middle of a value (-F). False: it is none. */
bool tool_base64_decode(struct buf *out, str text);
void tool_base64_encode(struct buf *out, str bytes);

#endif
