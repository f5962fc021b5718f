/* The far end of a connection in fuzz targets: says given bytes in pieces, and keeps what it hears.
 */
#ifndef POSTERN_T_FUZZPEER_H
#define POSTERN_T_FUZZPEER_H

#include "loop/stream.h"

#include <stdlib.h>
#include <sys/socket.h>

struct fuzzpeer {
	str words;
	size_t piece;
	struct stream *io;
	struct buf heard;
};

static void fuzzpeer_speak(void *arg)
{
	struct fuzzpeer *p = arg;

	while (p->words.n > 0) {
		str piece = str_head(p->words, p->piece);

		if (stream_write(p->io, piece.p, piece.n, FOREVER) != WAIT_OK ||
		    stream_flush(p->io, FOREVER) != WAIT_OK)
			return;
		p->words = str_from(p->words, piece.n);
		co_yield ();
	}
	shutdown(p->io->fd, SHUT_WR);
}

static void fuzzpeer_hear(void *arg)
{
	struct fuzzpeer *p = arg;
	str got;

	while (stream_peek(p->io, 1, &got, FOREVER) == WAIT_OK) {
		buf_str(&p->heard, got);
		stream_consume(p->io, got.n);
	}
}

/* Reply-line = code ( "-" / SP ) text CRLF */
static inline void fuzzpeer_check_replies(str replies)
{
	str line;

	if (replies.n && !str_ends(replies, STR("\r\n")))
		abort();
	while (str_split(&replies, '\n', &line)) {
		if (line.n == 0 && replies.p == NULL)
			break;
		if (line.n < 5 || line.p[line.n - 1] != '\r' || !str_is_digits(str_head(line, 3)) ||
		    (line.p[3] != ' ' && line.p[3] != '-') ||
		    str_chr(str_head(line, line.n - 1), '\r') >= 0)
			abort();
	}
}

/* For log_writer(). */
static void fuzzpeer_quiet(const char *tag, str text)
{
	(void)tag;
	(void)text;
}

#endif
