/* Pattern tables: what regexp: and pcre: share. Rules, if/endif, substitution. */
#ifndef POSTERN_TABLE_PATTERN_H
#define POSTERN_TABLE_PATTERN_H

#include "table/bigrams.h"
#include "table/type.h"

#define PATTERN_GROUPS 256 /* $1 ... $255 */

/* Where groups of a match are: [2n] and [2n+1] are start and end of group n; SIZE_MAX when it took
 * no part. */
struct pattern_match {
	size_t n; /* groups that were set, with 0 */
	size_t at[2 * PATTERN_GROUPS];
};
struct pattern_engine {
	const char *type;     /* "pcre" */
	const char *skipping; /* "skipping this rule" */
	bool terminate;	      /* exec wants a NUL behind the subject */
	/* Compiles; *groups is how many ( ) it has. want_groups: they will be asked for. NULL and
	 * err. */
	void *(*compile)(
	    str pattern, str flags, bool want_groups, unsigned *groups, struct err *err);
	void (*free)(void *compiled);
	/* What every match must contain; NULL: this cannot be told. */
	void (*required)(str pattern, str flags, struct bigrams *need);
	/* 1 match (m is filled if it is not NULL), 0 none, -1 and err. */
	int (*exec)(void *compiled, str subject, struct pattern_match *m, struct err *err);
};

void *pattern_load(struct table *t, const struct pattern_engine *e, struct err *err);
void pattern_unload(void *impl);
enum table_result pattern_get(struct table *t, str key, struct buf *value, struct err *err);

#endif
