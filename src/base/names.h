/* Name tables: the words of a list and their numbers or bits. The last row has a NULL name. */
#ifndef POSTERN_BASE_NAMES_H
#define POSTERN_BASE_NAMES_H

#include "base/err.h"
#include "base/str.h"

struct name_row {
	const char *name;
	int64_t value;
};

/* Value of a name (ASCII case ignored); fallback when it is not in the table. */
int64_t names_value(const struct name_row *t, str name, int64_t fallback);
/* Name of a value, or NULL. */
const char *names_name(const struct name_row *t, int64_t value);
/* Bits of a list of names separated by ", \t\r\n"; -1 and err for an unknown one. */
int names_mask(const struct name_row *t, str list, uint64_t *mask, struct err *err);

#endif
