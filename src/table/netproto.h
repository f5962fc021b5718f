/* What servers of tcp: and socketmap: tables answer. */
#ifndef POSTERN_TABLE_NETPROTO_H
#define POSTERN_TABLE_NETPROTO_H

#include "table/table.h"

#define TCP_REPLY_MAX 4096 /* tcp_table(5): with the newline */

/* "get KEY\n" with %XX where it is needed. */
void tcp_request(struct buf *out, str key);
/* A reply line, with or without its end: value is appended. TABLE_ERROR and err for status 400 and
 * for what is no reply. */
enum table_result tcp_reply(str line, struct buf *value, struct err *err);

/* "<n>:name key,". */
void socketmap_request(struct buf *out, str name, str key);
/* The length before the ':' of a netstring at the start of data. 1: *length and *used are set; 0:
 * more is needed; -1 and err (no netstring, or longer than max). */
int netstring_head(str data, size_t max, size_t *length, size_t *used, struct err *err);
/* What was in the netstring. TABLE_ERROR and err for TEMP, TIMEOUT, PERM and for what is no reply.
 */
enum table_result socketmap_reply(str payload, struct buf *value, struct err *err);

#endif
