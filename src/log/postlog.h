/* Packets to postlogd: a datagram is one or more records {magic 'P' 'L', total length (16 bit),
 * wall clock in seconds (64 bit), pid (32 bit), tag length (8 bit), tag, text}; integers
 * little-endian. */
#ifndef POSTERN_LOG_POSTLOG_H
#define POSTERN_LOG_POSTLOG_H

#include "base/buf.h"

#define POSTLOG_HEAD	   17
#define POSTLOG_RECORD_MAX 16384 /* longer texts are cut */
#define POSTLOG_PACKET_MAX 32768

struct postlog_record {
	int64_t time;
	uint32_t pid;
	str tag, text;
};
void postlog_put(struct buf *out, const struct postlog_record *r);
/* Takes the next record off *packet; slices point into it. 1: there was one; 0: the end; -1:
 * malformed. */
int postlog_take(str *packet, struct postlog_record *r);
/* Appends "Nov 23 01:26:59 host tag[pid]: text" and a newline; tag and text are made printable. */
void postlog_format(struct buf *out, const struct postlog_record *r);

#endif
