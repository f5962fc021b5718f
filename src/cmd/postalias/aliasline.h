/* One logical line of an alias file: "name: value, value". The name loses its quotes; the values
 * are written again as tokens of RFC 822, so that what comes out is "anna, "|prog x"" however it
 * was spaced. */
#ifndef POSTERN_CMD_POSTALIAS_ALIASLINE_H
#define POSTERN_CMD_POSTALIAS_ALIASLINE_H

#include "base/buf.h"

/* Appends key and value. NULL, or what is wrong with the line. */
const char *aliasline_parse(str line, struct buf *key, struct buf *value);

#endif
