/* The rows of param.tbl as data. */
#ifndef POSTERN_PARAM_TABLE_H
#define POSTERN_PARAM_TABLE_H

#include "base/str.h"

enum param_type {
	PARAM_TYPE_STR,
	PARAM_TYPE_RAW,
	PARAM_TYPE_ENUM,
	PARAM_TYPE_COMPUTED,
	PARAM_TYPE_INT,
	PARAM_TYPE_TIME,
	PARAM_TYPE_SIZE,
	PARAM_TYPE_BOOL,
};

struct param_row {
	const char *name;
	const char *def; /* unexpanded; NULL: see param_computed() */
	enum param_type type;
	size_t offset; /* of its member in struct conf */
	char unit;     /* TIME: unit of a number without one */
	int64_t lo, hi;
	const char *words; /* ENUM: allowed values, separated by | */
	const char *idle;  /* NULL: we act on it; "": not yet; else the reason why we never will */
	const char *programs, *since, *prose;
};

/* Parameters named after a service of master.cf: its name and a suffix. */
struct param_suffix {
	const char *suffix; /* "_destination_concurrency_limit" */
	enum param_type type;
	const char *def;
	const char *programs; /* commands whose services have it */
	const char *prose;
};

struct param_legacy {
	const char *name, *successor;
};

extern const struct param_row param_rows[]; /* sorted by name */
extern const size_t param_count;
extern const struct param_suffix param_suffixes[];
extern const size_t param_suffix_count;
extern const struct param_legacy param_legacies[];
extern const size_t param_legacy_count;
/* Parameters on their way out, PARAM_LEGACY rows included; successor "" when there is none. */
extern const struct param_legacy param_deprecated[];
extern const size_t param_deprecated_count;

const struct param_row *param_find(str name); /* or NULL */

/* The suffix row that a name ends in, for services that run command ("smtp", "pipe"); NULL when the
 * name does not begin with service or there is no such row. */
const struct param_suffix *param_service_find(str name, const char *service, const char *command);
bool param_suffix_applies(const struct param_suffix *s, const char *command);

#endif
