/* Names and their expanded values, over any source of settings: main.cf for a program, main.cf and
 * the -o options of one service for postconf. Values live as long as the scope. */
#ifndef POSTERN_PARAM_SCOPE_H
#define POSTERN_PARAM_SCOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/htab.h"

struct param_scope {
	/* What the user set, unexpanded; NULL: nothing. */
	const char *(*raw)(void *ctx, str name);
	void *ctx;
	const char *dir;	  /* value of config_directory */
	const char *process_name; /* of the program that this is the scope of; NULL: our own */
	/* inner */
	struct htab cache;
	struct arena mem;
	int depth;
	bool failed;
	struct err *err;
};

/* Unexpanded value: set, or the default; NULL when there is no such parameter. */
const char *param_raw(struct param_scope *s, str name);
/* Expanded value; *value is NULL when there is no such parameter. -1 and err for bad syntax. */
int param_value(struct param_scope *s, str name, const char **value, struct err *err);
/* Expands a text that is no parameter's value. */
int param_expand(struct param_scope *s, struct buf *out, str text, struct err *err);
/* Is it being expanded just now? */
bool param_busy(const struct param_scope *s, str name);
void param_scope_free(struct param_scope *s);

/* Default of a COMPUTED row: "myhostname", "mydomain", "mynetworks", "process_id", "process_name".
 */
void param_computed(struct param_scope *s, str name, struct buf *out);

#endif
