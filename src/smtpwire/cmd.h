/* SMTP command lines (RFC 5321 4.1.1), as the server reads them. */
#ifndef POSTERN_SMTPWIRE_CMD_H
#define POSTERN_SMTPWIRE_CMD_H

#include "base/buf.h"

struct smtp_cmd {
	str verb; /* as it came (compare without case); "" for an empty line */
	str args; /* behind the verb, without white space at both ends */
};
/* line: with or without its end. Slices point into it. */
void smtp_cmd_split(str line, struct smtp_cmd *cmd);
/* Takes "FROM:" or "TO:" (keyword without colon, case ignored, spaces around the colon tolerated)
 * from the start of *args; false when it is not there. What follows is for addr_parse_path(). */
bool smtp_cmd_keyword(str *args, const char *keyword);
/* Next word of a command's arguments, words being separated by spaces and tabs; false at the end.
 */
bool smtp_cmd_word(str *args, str *word);
/* How many words args has. */
size_t smtp_cmd_words(str args);

#endif
