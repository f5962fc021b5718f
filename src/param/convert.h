/* An expanded value becomes a member of struct conf. */
#ifndef POSTERN_PARAM_CONVERT_H
#define POSTERN_PARAM_CONVERT_H

#include "base/err.h"
#include "param/table.h"

/* Checks value (which must outlive *to, if the row is text) against the row and stores it. -1 and
 * err, which names the parameter. */
int param_convert(const struct param_row *row, const char *value, void *to, struct err *err);
/* "yes" or "no"; -1 for anything else. */
int param_bool(const char *value);

#endif
