/* SMTP replies (RFC 5321 4.2): read by clients, written by servers. */
#ifndef POSTERN_SMTPWIRE_REPLY_H
#define POSTERN_SMTPWIRE_REPLY_H

#include "base/buf.h"

#define REPLY_LINE_MAX	2048	    /* of a line: the rest is dropped */
#define REPLY_TEXT_MAX	(64 * 1024) /* of a whole reply: the rest is dropped */
#define REPLY_LINES_MAX 1000	    /* more is an error: a peer that never ends */

/* --- Reading. Feed lines until REPLY_DONE. */
struct reply {
	int code;     /* three digits; 200 to 599 unless the peer is odd */
	char dsn[16]; /* "5.1.1" when the text begins with a fitting one, else "" */
	struct buf
	    text; /* whole reply as received, lines separated by '\n': "250-a\n250 b", printable */
	unsigned lines;
	bool inconsistent; /* codes differed between lines; the last one counts */
	bool garbage;	   /* lines that are no reply were skipped */
	bool begun_;
};
enum reply_state { REPLY_MORE = 0, REPLY_DONE, REPLY_BAD };
void reply_start(struct reply *r); /* empties it; memory is kept */
void reply_free(struct reply *r);
/* One line, with or without its end. What is no reply line is skipped (garbage). REPLY_BAD: too
 * many lines. */
enum reply_state reply_line(struct reply *r, str line);
/* Line n of the text without code and separator ("a", "b" above; for EHLO keywords n >= 1); false
 * past the end. */
bool reply_get_line(const struct reply *r, unsigned n, str *line);
/* The text in one line for logs and DSNs: lines joined by a space. Appends. */
void reply_joined(const struct reply *r, struct buf *out);
/* The code to record: r->dsn, or "<class>.0.0" made of the reply's code (5.5.0 when that has no
 * class 2, 4 or 5). */
const char *reply_dsn(const struct reply *r, char out[16]);

/* --- Writing. */
/* Appends a reply. dsn may be NULL or "". text may have lines separated by '\n' (an \r before it is
 * dropped); empty text gives "250 2.1.0" alone. Unprintable bytes become '?'; 8-bit bytes stay when
 * utf8. Every line repeats code and dsn,
 * but a line after the first keeps a dsn of its own. */
void reply_put(struct buf *out, int code, const char *dsn, str text, bool utf8);
/* Appends the lines of a footer (smtpd_reject_footer, expanded by the caller; lines separated by
 * the two characters \n or a newline) to the reply in out that begins at start: the last line so
 * far becomes a continuation; a footer beginning with \c is joined to the last line without a
 * break. */
void reply_put_footer(struct buf *out, size_t start, str footer);
/* Breaks lines of the replies in out from start on that are longer than REPLY_LINE_MAX, which
 * clients are known to cut: at spaces, into lines that every client must take (RFC 5321 4.5.3.1.5),
 * with the same code and dsn. Shorter ones stay in one piece, as administrators know them, though
 * RFC 5321 would have them broken at 512. */
#define REPLY_LINE_LIMIT 512 /* with code and CRLF */
void reply_fold(struct buf *out, size_t start);
/* Splits a ready reply "550 5.7.1 text" (milter, policy, access table): code, dsn ("" when absent),
 * text. False when it does not begin with a code of class 2 to 5 and a space, dash or the end. */
bool reply_split(str full, int *code, str *dsn, str *text);

#endif
