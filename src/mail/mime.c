#include "mail/mime.h"

#include "base/mem.h"
#include "mail/mimetype.h"
#include "param/param.h"

#include <stdlib.h>

struct level {		/* an entity that has others in it */
	char *boundary; /* NULL: an attached message */
	size_t n;
	bool digest;
};
struct mime {
	unsigned flags, errors;
	struct mime_limits limits;
	const struct mime_ops *ops;
	void *ctx;

	enum { IN_HEADER, IN_BODY } state;
	enum { OF_MESSAGE, OF_PART, OF_NESTED } header_of;
	bool was_primary; /* the primary header has ended */
	bool declared_8bit;

	/* The header that is being read. */
	struct buf field; /* its open field; none when empty */
	bool skip_line;	  /* the rest of the line is beyond the limit */
	struct mime_type type;
	struct buf boundary;
	enum mime_encoding encoding;

	/* The body. */
	struct buf line;   /* start of a line that is not complete (header: all of it) */
	bool inside;	   /* not at the start of a line */
	bool looked;	   /* the open line's start was looked at */
	bool piece_given;  /* MIME_LINES: a part of the open line was given */
	bool part_follows; /* the open line is a boundary that begins a part */
	bool digest;	   /* of a digest */
	enum mime_encoding body_encoding;

	struct level *levels;
	size_t depth;
};

static const struct {
	enum mime_error error;
	const char *dsn, *text;
} error_texts[] = {
    {MIME_E_NESTING, "5.6.0", "MIME nesting exceeds safety limit"},
    {MIME_E_8BIT_IN_HEADER, "5.6.0", "improper use of 8-bit data in message header"},
    {MIME_E_8BIT_IN_7BIT_BODY, "5.6.0", "improper use of 8-bit data in message body"},
    {MIME_E_ENCODING_DOMAIN, "5.6.0", "invalid message/* or multipart/* encoding domain"},
    {MIME_E_TRUNCATED_HEADER, "5.6.0", "message header length exceeds safety limit"},
};

/* With a limit of 1 Postfix looks into the third multipart. */
struct mime_limits mime_limits(void)
{
	return (struct mime_limits){
	    .header_size = (size_t)conf.header_size_limit,
	    .line = (size_t)conf.line_length_limit,
	    .boundary = (size_t)conf.mime_boundary_length_limit,
	    .nesting = (size_t)conf.mime_nesting_limit + 2,
	};
}

struct mime *mime_new(
    unsigned flags, const struct mime_limits *limits, const struct mime_ops *ops, void *ctx)
{
	struct mime *m = mem_zero(sizeof *m);

	m->flags = flags & MIME_LINES ? flags | MIME_FIELDS : flags;
	m->limits = *limits;
	/* The start of a piece must be enough to tell a boundary by. */
	if (m->limits.line < m->limits.boundary + 4)
		m->limits.line = m->limits.boundary + 4;
	m->ops = ops;
	m->ctx = ctx;
	return m;
}

static void pop_levels(struct mime *m, size_t depth)
{
	while (m->depth > depth)
		free(m->levels[--m->depth].boundary);
}

void mime_free(struct mime *m)
{
	if (!m)
		return;
	pop_levels(m, 0);
	free(m->levels);
	buf_free(&m->field);
	buf_free(&m->boundary);
	buf_free(&m->line);
	free(m);
}

static void found_error(struct mime *m, enum mime_error e, str where)
{
	bool first = !(m->errors & e);

	m->errors |= e;
	if (first && m->ops->error)
		m->ops->error(m->ctx, e, str_head(where, 200));
}

static bool wants_fields(const struct mime *m)
{
	return m->header_of == OF_MESSAGE || (m->flags & MIME_FIELDS);
}

/* --- header */

static void start_header(struct mime *m, int header_of, enum mime_kind kind)
{
	m->state = IN_HEADER;
	m->header_of = header_of;
	m->type = (struct mime_type){.kind = kind};
	m->encoding = MIME_7BIT;
	m->skip_line = false;
	buf_clear(&m->line);
}

static enum mime_class field_class(const struct mime *m, const struct header_row *row)
{
	if (m->header_of == OF_PART || (row->flags & H_MIME))
		return MIME_PART;
	return m->header_of == OF_NESTED ? MIME_NESTED : MIME_PRIMARY;
}

static void look_at_field(struct mime *m, const struct header_row *row, str value)
{
	if (row->id == HDR_CONTENT_TYPE && !(m->flags & MIME_OFF)) {
		m->type = mime_parse_type(value, &m->boundary, m->limits.boundary);
	} else if (row->id == HDR_CONTENT_TRANSFER_ENCODING) {
		m->encoding = mime_parse_encoding(value);
		value = str_trim(value); /* with a comment or parameter it is no declaration */
		m->declared_8bit |=
		    str_eq_nocase(value, STR("8bit")) || str_eq_nocase(value, STR("binary"));
	}
}

static void end_field(struct mime *m)
{
	const struct header_row *row;
	str name, value, text = buf_view(&m->field);

	if (text.n == 0)
		return;
	header_split(text, &name, &value);
	row = header_find(name);
	look_at_field(m, row, value);
	if ((m->flags & MIME_STRICT_7BIT_HEADERS) && !str_is_ascii(text))
		found_error(m, MIME_E_8BIT_IN_HEADER, text);
	if (wants_fields(m))
		m->ops->field(m->ctx, field_class(m, row), row, text);
	buf_clear(&m->field);
}

/* Adds to the open field what the limit leaves room for. */
static void grow_field(struct mime *m, str text)
{
	size_t room = m->limits.header_size > m->field.n ? m->limits.header_size - m->field.n : 0;

	if (text.n > room)
		found_error(m, MIME_E_TRUNCATED_HEADER, buf_view(&m->field));
	buf_str(&m->field, str_head(text, room));
}

static void open_field(struct mime *m, str line)
{
	size_t name = header_name_length(line);

	grow_field(m, str_head(line, name));
	buf_char(&m->field, ':'); /* white space in front of it is dropped */
	grow_field(m, str_from(line, (size_t)str_chr(line, ':') + 1));
}

static bool is_continuation(const struct mime *m, str line)
{
	return m->field.n && line.n && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* RFC 2046 5.1, 5.2; RFC 6532 3.5: message/global may be encoded. */
static void check_encoding(struct mime *m)
{
	static const char *const names[] = {
	    "7bit", "8bit", "binary", "base64", "quoted-printable", ""};
	enum mime_encoding e = m->encoding;
	bool encoded = e == MIME_BASE64 || e == MIME_QP, eight = e == MIME_8BIT || e == MIME_BINARY;
	bool bad = m->type.kind == MIME_MULTIPART ? encoded
		   : m->type.kind == MIME_MESSAGE ? encoded && !m->type.global
						  : m->type.kind == MIME_PIECE && eight;

	if (bad && (m->flags & MIME_STRICT_ENCODING))
		found_error(m, MIME_E_ENCODING_DOMAIN, str_of(names[e]));
}

static void push_level(struct mime *m)
{
	struct level *l;

	m->levels = mem_realloc(m->levels, (m->depth + 1) * sizeof *m->levels);
	l = &m->levels[m->depth++];
	*l = (struct level){.digest = m->type.digest,
	    .boundary = mem_memdup(m->boundary.p, m->boundary.n),
	    .n = m->boundary.n};
}

static void start_line(struct mime *m)
{
	m->inside = m->looked = m->piece_given = m->part_follows = false;
	buf_clear(&m->line);
}

/* What the header said decides how the body is read. Parts are looked into even where an encoding
 * claims to hide them, which is not allowed: mail programs do so as well. */
static void enter_body(struct mime *m)
{
	check_encoding(m);
	if (m->type.kind == MIME_PIECE || (m->type.kind == MIME_MULTIPART && m->boundary.n == 0))
		m->type.kind = MIME_LEAF;
	if (m->type.kind == MIME_MULTIPART && m->depth >= m->limits.nesting) {
		found_error(m, MIME_E_NESTING, STR(""));
		m->type.kind = MIME_LEAF;
	}
	m->body_encoding = m->type.kind == MIME_LEAF ? m->encoding : MIME_7BIT;
	if (m->type.kind == MIME_MULTIPART)
		push_level(m);
	m->state = IN_BODY;
	start_line(m);
}

static void end_header(struct mime *m, str line, bool at_end)
{
	enum mime_kind kind;

	end_field(m);
	enter_body(m);
	kind = m->type.kind;
	if (!m->was_primary) {
		m->was_primary = true;
		m->ops->header_end(m->ctx, line, at_end);
	} else if ((m->flags & MIME_FIELDS) && m->ops->part_header_end) {
		m->ops->part_header_end(m->ctx);
	}
	if (kind == MIME_MESSAGE && !at_end)
		start_header(m, OF_NESTED, MIME_LEAF);
}

/* --- boundaries */

/* Index of the level whose boundary the line is, or -1. RFC 2046 5.1.1; as everybody does, only the
 * start of the line is compared. */
static ptrdiff_t boundary_level(const struct mime *m, str line)
{
	str rest = str_from(line, 2);

	if (m->depth == 0 || line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return -1;
	for (size_t i = m->depth; i-- > 0;) {
		const struct level *l = &m->levels[i];

		if (str_starts(rest, str_mem(l->boundary, l->n)))
			return (ptrdiff_t)i;
	}
	return -1;
}

/* Looks at the start of a body line; a boundary takes effect at the end of its line. */
static void look_at_line(struct mime *m, str line)
{
	ptrdiff_t i = boundary_level(m, line);
	const struct level *l;

	m->looked = true;
	if (i < 0)
		return;
	l = &m->levels[i];
	m->part_follows = !str_starts(str_from(line, 2 + l->n), STR("--"));
	m->digest = l->digest;
	pop_levels(m, (size_t)i + m->part_follows);
	if (m->ops->boundary)
		m->ops->boundary(m->ctx);
	m->body_encoding = MIME_7BIT;
}

/* The line is complete. */
static void end_line(struct mime *m)
{
	bool part = m->part_follows;

	start_line(m);
	if (part)
		start_header(m, OF_PART, m->digest ? MIME_MESSAGE : MIME_LEAF);
}

/* The line of text that has the first 8-bit byte, as far as text has it. */
static str eight_bit_line(str text)
{
	size_t at = 0, from, to;

	while (at + 1 < text.n && !(text.p[at] & 0x80))
		at++;
	for (from = at; from > 0 && text.p[from - 1] != '\n';)
		from--;
	for (to = at; to < text.n && text.p[to] != '\r' && text.p[to] != '\n';)
		to++;
	return str_mem(text.p + from, to - from);
}

/* An encoding that nobody knows allows no 8-bit bytes either. */
static void check_8bit(struct mime *m, str text)
{
	bool seven = m->body_encoding == MIME_7BIT || m->body_encoding == MIME_ENCODING_OTHER;

	if ((m->flags & MIME_STRICT_8BIT_BODY) && seven &&
	    !(m->errors & MIME_E_8BIT_IN_7BIT_BODY) && !str_is_ascii(text))
		found_error(m, MIME_E_8BIT_IN_7BIT_BODY, eight_bit_line(text));
}

/* --- header lines */

static str plain(str line)
{
	if (line.n && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line.n && line.p[0] == '.' ? str_from(line, 1) : line;
}

/* The line that ended the header is the start of what follows. */
static void line_is_body(struct mime *m, str text)
{
	struct buf raw = m->line;

	m->line = (struct buf){0};
	end_header(m, text, false);
	mime_feed(m, buf_view(&raw));
	buf_free(&raw);
}

/* A boundary where a part's header should go on: the part has no body. */
static void line_is_boundary(struct mime *m)
{
	struct buf raw = m->line;

	m->line = (struct buf){0};
	end_field(m);
	if ((m->flags & MIME_FIELDS) && m->ops->part_header_end)
		m->ops->part_header_end(m->ctx);
	m->state = IN_BODY;
	start_line(m);
	mime_feed(m, buf_view(&raw));
	buf_free(&raw);
}

static void give_raw(struct mime *m, str raw)
{
	if (m->flags & MIME_LINES)
		m->ops->body_line(m->ctx, plain(raw), LINE_FIRST | LINE_LAST);
	else
		m->ops->body(m->ctx, raw);
}

/* m->line is a line of a header, or the first part of one that is too long. */
static void header_line(struct mime *m)
{
	str raw = buf_view(&m->line), text = plain(raw);
	bool give = !wants_fields(m);

	if (boundary_level(m, text) >= 0) {
		line_is_boundary(m);
		return;
	}
	if (text.n == 0) {
		bool was_primary = m->was_primary;

		end_header(m, text, false);
		if (was_primary)
			give_raw(m, STR("\r\n"));
	} else if (is_continuation(m, text)) {
		if (m->field.n < m->limits.header_size)
			buf_char(&m->field, '\n');
		grow_field(m, text);
		if (give)
			give_raw(m, raw);
	} else if (header_name_length(text)) {
		end_field(m);
		open_field(m, text);
		if (give)
			give_raw(m, raw);
	} else {
		line_is_body(m, text);
		return;
	}
	buf_clear(&m->line);
}

/* Bytes of a header. Returns what is left. */
static str header_bytes(struct mime *m, str wire)
{
	const char *nl = memchr(wire.p, '\n', wire.n);
	str part = nl ? str_head(wire, (size_t)(nl + 1 - wire.p)) : wire, text;

	if (m->skip_line) {
		if (!wants_fields(m))
			m->ops->body(m->ctx, part);
		m->skip_line = !nl;
		return str_from(wire, part.n);
	}
	if (m->line.n + part.n > m->limits.header_size + 2) {
		part = str_head(part, m->limits.header_size + 2 - m->line.n);
		nl = NULL;
	}
	buf_str(&m->line, part);
	wire = str_from(wire, part.n);
	if (nl) {
		header_line(m);
	} else if (m->line.n == m->limits.header_size + 2) {
		text = plain(buf_view(&m->line));
		m->skip_line = is_continuation(m, text) || header_name_length(text);
		if (m->skip_line)
			found_error(m, MIME_E_TRUNCATED_HEADER, text);
		header_line(m);
	}
	return wire;
}

/* --- body in blocks */

/* One line, or what this block has of it. */
static void scan_line(struct mime *m, str part, bool complete)
{
	size_t enough = m->limits.boundary + 4;

	check_8bit(m, part);
	if (!m->looked && complete && m->line.n == 0) {
		look_at_line(m, plain(part));
	} else if (!m->looked) { /* its start is gathered until it can tell */
		buf_str(&m->line, str_head(part, enough - m->line.n));
		if (complete || m->line.n == enough)
			look_at_line(m, plain(buf_view(&m->line)));
	}
	m->inside = true;
	if (complete)
		end_line(m);
}

static str scan_block(struct mime *m, str wire)
{
	const char *p = wire.p, *end = wire.p + wire.n, *nl;

	while (p < end && m->state == IN_BODY) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl + 1 : end;
		if (m->inside || nl[-1] != '\n' || *p == '-')
			scan_line(m, str_mem(p, (size_t)(nl - p)), nl[-1] == '\n');
		else
			check_8bit(m, str_mem(p, (size_t)(nl - p)));
		p = nl;
	}
	m->ops->body(m->ctx, str_mem(wire.p, (size_t)(p - wire.p)));
	return str_mem(p, (size_t)(end - p));
}

/* --- body line by line */

/* A line, or a piece of one that is too long. */
static void give_piece(struct mime *m, str piece, bool last)
{
	unsigned which = (m->piece_given ? 0 : LINE_FIRST) | (last ? LINE_LAST : 0);

	if (which & LINE_FIRST) {
		if (piece.n && piece.p[0] == '.')
			piece = str_from(piece, 1);
		look_at_line(m, piece);
	}
	check_8bit(m, piece);
	m->ops->body_line(m->ctx, piece, which);
	m->piece_given = true;
	if (last)
		end_line(m);
}

static str without_end(str line)
{
	line.n--;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* Takes one line, or what there is of it, and returns what is left. */
static str line_bytes(struct mime *m, str wire)
{
	const char *nl = memchr(wire.p, '\n', wire.n);
	str part = nl ? str_head(wire, (size_t)(nl + 1 - wire.p)) : wire;
	size_t most = m->limits.line + 2; /* a piece, and the end that may follow */

	if (nl && m->line.n == 0 && part.n <= m->limits.line) {
		give_piece(m, without_end(part), true);
		return str_from(wire, part.n);
	}
	if (m->line.n + part.n > most) {
		part = str_head(part, most - m->line.n);
		nl = NULL;
	}
	buf_str(&m->line, part);
	if (nl) {
		give_piece(m, without_end(buf_view(&m->line)), true);
	} else if (m->line.n == most) {
		give_piece(m, str_head(buf_view(&m->line), m->limits.line), false);
		buf_drop(&m->line, m->limits.line);
	}
	return str_from(wire, part.n);
}

/* --- all */

void mime_feed(struct mime *m, str wire)
{
	while (wire.n) {
		if (m->state == IN_HEADER) {
			wire = header_bytes(m, wire);
		} else if (m->flags & MIME_LINES) {
			wire = line_bytes(m, wire);
		} else if (m->depth) {
			wire = scan_block(m, wire);
		} else {
			check_8bit(m, wire);
			m->ops->body(m->ctx, wire);
			return;
		}
	}
}

void mime_end(struct mime *m)
{
	if (m->state == IN_HEADER && m->line.n)
		header_line(m);
	if (m->state == IN_HEADER)
		end_header(m, STR(""), true);
	else if ((m->flags & MIME_LINES) && (m->line.n || m->piece_given))
		give_piece(m, buf_view(&m->line), true);
}

bool mime_in_header(const struct mime *m)
{
	return !m->was_primary;
}

unsigned mime_errors(const struct mime *m)
{
	return m->errors;
}

bool mime_declared_8bit(const struct mime *m)
{
	return m->declared_8bit;
}

enum mime_encoding mime_header_encoding(const struct mime *m, bool *composite)
{
	*composite = m->type.kind != MIME_LEAF;
	return m->encoding;
}

enum mime_encoding mime_line_encoding(const struct mime *m)
{
	return m->body_encoding;
}

const char *mime_error_dsn(enum mime_error e)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_texts); i++)
		if (error_texts[i].error & e)
			return error_texts[i].dsn;
	return "5.6.0";
}

const char *mime_error_text(enum mime_error e)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_texts); i++)
		if (error_texts[i].error & e)
			return error_texts[i].text;
	return "";
}

void mime_put_piece(struct buf *out, str piece, unsigned which)
{
	if ((which & LINE_FIRST) && piece.n && piece.p[0] == '.')
		buf_char(out, '.');
	buf_str(out, piece);
	if (which & LINE_LAST)
		buf_add(out, "\r\n", 2);
}
