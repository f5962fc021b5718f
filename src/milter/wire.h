/* Packets of the milter protocol: a 32-bit length in network order, a command byte, data. And what
 * milters answer, taken apart. Everything that comes from a milter is hostile until it went through
 * here. */
#ifndef POSTERN_MILTER_WIRE_H
#define POSTERN_MILTER_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "loop/stream.h"

#define MILTER_CHUNK_MAX  65535		/* body bytes in a packet */
#define MILTER_PACKET_MAX (1024 * 1024) /* of a packet we accept: more is a wrong length */
#define MILTER_REPLY_MAX  (32 * 1024)	/* of the text of a reply code */

/* Appends a packet: head, then the caller appends its data, then end. */
size_t milter_packet_begin(struct buf *out, char cmd);
void milter_packet_end(struct buf *out, size_t at);
/* Instead of end: n bytes of data follow that are not in out. */
void milter_packet_length(struct buf *out, size_t at, size_t n);
void milter_put_u32(struct buf *out, uint32_t v);
void milter_put_z(struct buf *out, str text); /* ended by a NUL; ends at a NUL in text, too */

/* Takes the next packet out of *in; data points into it. 0; 1 when more input is needed (in is left
 * alone, and *need says how much there must be); -1 and err when the length is wrong. */
int milter_packet_take(str *in, char *cmd, str *data, size_t *need, struct err *err);
/* The next packet of a stream; data is valid until the next read. WAIT_ERROR with errno EPROTO and
 * err for a wrong length. May wait. */
enum wait milter_packet_read(
    struct stream *s, char *cmd, str *data, int64_t deadline, struct err *err);

/* Takes the next NUL-ended text out of *data; false when there is none. */
bool milter_take_z(str *data, str *text);
bool milter_take_u32(str *data, uint32_t *v);

enum milter_kind {
	MILTER_IS_NEGOTIATION, /* everything else is left to negotiate.c */
	/* Decisions. */
	MILTER_IS_CONTINUE,
	MILTER_IS_ACCEPT,
	MILTER_IS_REJECT,
	MILTER_IS_TEMPFAIL,
	MILTER_IS_DISCARD,
	MILTER_IS_SKIP,
	MILTER_IS_REPLYCODE, /* text: as sent */
	MILTER_IS_CONN_FAIL,
	MILTER_IS_SHUTDOWN,
	/* At the end of the message. */
	MILTER_IS_PROGRESS,
	MILTER_IS_QUARANTINE,	 /* text: reason */
	MILTER_IS_ADD_HEADER,	 /* name, text: value */
	MILTER_IS_INSERT_HEADER, /* index, name, text */
	MILTER_IS_CHANGE_HEADER, /* index, name, text: empty to delete */
	MILTER_IS_CHANGE_FROM,	 /* text: address, args */
	MILTER_IS_ADD_RCPT,	 /* text: address, args */
	MILTER_IS_DEL_RCPT,	 /* text: address */
	MILTER_IS_REPLACE_BODY,	 /* text: a piece */
};
struct milter_reply {
	enum milter_kind kind;
	uint32_t index; /* of a header field: which of that name (from 1), or its position */
	str name, text, args;
	bool has_args;
};
/* Takes an answer apart; slices point into data. -1 and err: no such command, or its data are no
 * good. */
int milter_reply_parse(char cmd, str data, struct milter_reply *r, struct err *err);
/* "continue", "add header", ... for log lines. */
const char *milter_kind_name(enum milter_kind kind);

/* The text of a replycode answer ("550 5.7.1 no" and a NUL, lines separated by CRLF, '%' doubled)
 * in the form of milter_answer.reply: the code once, then the lines separated by '\n'. -1 and err
 * when it is no SMTP reply of class 4 or 5. */
int milter_replycode(str text, struct buf *out, struct err *err);

#endif
