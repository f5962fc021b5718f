/* postmap -q - with -h, -b, -m: standard input is a message, and its header fields and body lines
 * are the keys, as header_checks and body_checks see them. */
#ifndef POSTERN_CMD_POSTMAP_MESSAGE_H
#define POSTERN_CMD_POSTMAP_MESSAGE_H

#include "table/tool.h"

extern struct message_options {
	bool header, body, mime;
} message_options;

void message_query(struct tool *t, struct table **v, size_t n);

#endif
