/* 8bit to 7bit: what is 8bit or binary becomes quoted-printable (RFC 2045 6.7), composite types
 * that said 8bit say 7bit. */
#include "base/mem.h"
#include "mail/mime.h"

#include <stdlib.h>

#define QP_LINE 75 /* before the soft line break */

struct mime_down {
	struct mime *mime;
	struct buf *out;
	size_t column;
	char held; /* a space or tab that may be the last of its line; 0: none */
};

static bool is_8bit(enum mime_encoding e)
{
	return e == MIME_8BIT || e == MIME_BINARY;
}

static void down_field(void *ctx, enum mime_class class, const struct header_row *row, str text)
{
	struct mime_down *d = ctx;
	str name, value;

	(void)class;
	if (row->id == HDR_CONTENT_TRANSFER_ENCODING && header_split(text, &name, &value) &&
	    is_8bit(mime_parse_encoding(value)))
		return;
	header_wire(d->out, text);
}

static void put_encoding(struct mime_down *d)
{
	bool composite;

	if (is_8bit(mime_header_encoding(d->mime, &composite)))
		buf_printf(d->out, "Content-Transfer-Encoding: %s\r\n",
		    composite ? "7bit" : "quoted-printable");
}

static void down_header_end(void *ctx, str line, bool at_end)
{
	struct mime_down *d = ctx;

	(void)line;
	put_encoding(d);
	if (!at_end)
		buf_cstr(d->out, "\r\n");
}

static void down_part_header_end(void *ctx)
{
	put_encoding(ctx);
}

static void put_qp(struct mime_down *d, char c, bool plain)
{
	size_t width = plain ? 1 : 3;

	if (d->column + width > QP_LINE) {
		buf_cstr(d->out, "=\r\n");
		d->column = 0;
	}
	if (d->column == 0 && plain && c == '.')
		buf_char(d->out, '.');
	if (plain)
		buf_char(d->out, c);
	else
		buf_printf(d->out, "=%02X", (unsigned char)c);
	d->column += width;
}

static void down_line(void *ctx, str piece, unsigned which)
{
	struct mime_down *d = ctx;

	if (!is_8bit(mime_line_encoding(d->mime))) {
		mime_put_piece(d->out, piece, which);
		return;
	}
	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (d->held)
			put_qp(d, d->held, true);
		d->held = c == ' ' || c == '\t' ? c : 0;
		if (!d->held)
			put_qp(d, c, c > ' ' && c < 127 && c != '=');
	}
	if (which & LINE_LAST) {
		if (d->held)
			put_qp(d, d->held, false);
		d->held = 0;
		d->column = 0;
		buf_cstr(d->out, "\r\n");
	}
}

static const struct mime_ops down_ops = {
    .field = down_field,
    .header_end = down_header_end,
    .part_header_end = down_part_header_end,
    .body_line = down_line,
};

struct mime_down *mime_down_new(const struct mime_limits *limits)
{
	struct mime_down *d = mem_zero(sizeof *d);

	d->mime = mime_new(MIME_LINES, limits, &down_ops, d);
	return d;
}

void mime_down_feed(struct mime_down *d, str wire, struct buf *out)
{
	d->out = out;
	mime_feed(d->mime, wire);
}

void mime_down_end(struct mime_down *d, struct buf *out)
{
	d->out = out;
	mime_end(d->mime);
}

void mime_down_free(struct mime_down *d)
{
	if (!d)
		return;
	mime_free(d->mime);
	free(d);
}
