#include "milter/wire.h"

#include "base/mem.h"

#include <errno.h>

#define LENGTH 4 /* bytes of the length, which counts the command but not itself */

size_t milter_packet_begin(struct buf *out, char cmd)
{
	size_t at = out->n;

	buf_add(out, "\0\0\0\0", 4);
	buf_char(out, cmd);
	return at;
}

static void set_u32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

static uint32_t get_u32(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void milter_packet_end(struct buf *out, size_t at)
{
	set_u32(out->p + at, (uint32_t)(out->n - at - 4));
}

void milter_packet_length(struct buf *out, size_t at, size_t n)
{
	set_u32(out->p + at, (uint32_t)(out->n - at - 4 + n));
}

void milter_put_u32(struct buf *out, uint32_t v)
{
	char b[4];

	set_u32(b, v);
	buf_add(out, b, sizeof(b));
}

void milter_put_z(struct buf *out, str text)
{
	buf_add(out, text.p, strnlen(text.p ? text.p : "", text.n));
	buf_char(out, 0);
}

int milter_packet_take(str *in, char *cmd, str *data, size_t *need, struct err *err)
{
	uint32_t n;

	*need = LENGTH;
	if (in->n < LENGTH)
		return 1;
	n = get_u32(in->p);
	if (n == 0 || n > MILTER_PACKET_MAX)
		return err_set(err, "bad packet length %lu", (unsigned long)n);
	*need = LENGTH + (size_t)n;
	if (in->n < *need)
		return 1;
	*cmd = in->p[LENGTH];
	*data = str_mem(in->p + LENGTH + 1, n - 1);
	*in = str_from(*in, *need);
	return 0;
}

enum wait milter_packet_read(
    struct stream *s, char *cmd, str *data, int64_t deadline, struct err *err)
{
	size_t need = LENGTH;
	str in, rest;

	for (;;) {
		enum wait w = stream_peek(s, need, &in, deadline);

		if (w == WAIT_OK && in.n < need)
			w = WAIT_EOF;
		if (w != WAIT_OK) {
			err_set(err, "%s%s", w == WAIT_ERROR ? strerror(errno) : wait_name(w),
			    in.n ? " in the middle of a packet" : "");
			return w;
		}
		rest = in;
		switch (milter_packet_take(&rest, cmd, data, &need, err)) {
		case 0:
			stream_consume(s, in.n - rest.n);
			return WAIT_OK;
		case 1:
			continue;
		}
		errno = EPROTO;
		return WAIT_ERROR;
	}
}

bool milter_take_z(str *data, str *text)
{
	ptrdiff_t end = str_chr(*data, 0);

	if (end < 0)
		return false;
	*text = str_head(*data, (size_t)end);
	*data = str_from(*data, (size_t)end + 1);
	return true;
}

bool milter_take_u32(str *data, uint32_t *v)
{
	if (data->n < 4)
		return false;
	*v = get_u32(data->p);
	*data = str_from(*data, 4);
	return true;
}

/* --- answers */

enum { INDEX = 1, NAME = 2, TEXT = 4, ARGS = 8, REST = 16 };

static const struct kind_row {
	char cmd;
	enum milter_kind kind;
	int has; /* what its data are */
	const char *name;
} rows[] = {
    {'O', MILTER_IS_NEGOTIATION, REST, "negotiation"},
    {'c', MILTER_IS_CONTINUE, 0, "continue"},
    {'a', MILTER_IS_ACCEPT, 0, "accept"},
    {'r', MILTER_IS_REJECT, 0, "reject"},
    {'t', MILTER_IS_TEMPFAIL, 0, "tempfail"},
    {'d', MILTER_IS_DISCARD, 0, "discard"},
    {'s', MILTER_IS_SKIP, 0, "skip"},
    {'y', MILTER_IS_REPLYCODE, REST, "replycode"}, /* see milter_replycode() */
    {'f', MILTER_IS_CONN_FAIL, 0, "conn_fail"},
    {'4', MILTER_IS_SHUTDOWN, 0, "shutdown"},
    {'p', MILTER_IS_PROGRESS, 0, "progress"},
    {'q', MILTER_IS_QUARANTINE, TEXT, "quarantine"},
    {'h', MILTER_IS_ADD_HEADER, NAME | TEXT, "add header"},
    {'i', MILTER_IS_INSERT_HEADER, INDEX | NAME | TEXT, "insert header"},
    {'m', MILTER_IS_CHANGE_HEADER, INDEX | NAME | TEXT, "change header"},
    {'e', MILTER_IS_CHANGE_FROM, TEXT | ARGS, "change sender"},
    {'+', MILTER_IS_ADD_RCPT, TEXT, "add recipient"},
    {'2', MILTER_IS_ADD_RCPT, TEXT | ARGS, "add recipient"},
    {'-', MILTER_IS_DEL_RCPT, TEXT, "delete recipient"},
    {'b', MILTER_IS_REPLACE_BODY, REST, "replace body"},
};

const char *milter_kind_name(enum milter_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].kind == kind)
			return rows[i].name;
	return "?";
}

static const struct kind_row *find(char cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	return NULL;
}

int milter_reply_parse(char cmd, str data, struct milter_reply *r, struct err *err)
{
	const struct kind_row *row = find(cmd);
	struct buf shown = {0};
	bool good = true;

	*r = (struct milter_reply){0};
	if (!row) {
		buf_escape(&shown, str_mem(&cmd, 1), 8);
		err_set(err, "unknown reply \"%s\"", buf_text(&shown));
		buf_free(&shown);
		return -1;
	}
	r->kind = row->kind;
	if (row->has & INDEX)
		good = milter_take_u32(&data, &r->index);
	if (row->has & NAME)
		good = good && milter_take_z(&data, &r->name);
	if (row->has & TEXT)
		good = good && milter_take_z(&data, &r->text);
	if (row->has & ARGS && data.n)
		good = r->has_args = good && milter_take_z(&data, &r->args);
	if (row->has & REST) {
		r->text = data;
		data.n = 0;
	}
	if (!good)
		return err_set(err, "%s reply is cut short", row->name);
	if (data.n)
		return err_set(err, "%s reply has %zu bytes too many", row->name, data.n);
	if (row->has & NAME && r->name.n == 0)
		return err_set(err, "%s reply has no name", row->name);
	return 0;
}

/* "550 4.1.1 text": the enhanced code (RFC 3463) contradicts the reply code. */
static bool other_class(str line, str rest)
{
	return rest.n >= 2 && rest.p[1] == '.' && str_chr(STR("245"), rest.p[0]) >= 0 &&
	       rest.p[0] != line.p[0] && rest.n >= 3 &&
	       str_is_digits(str_head(str_from(rest, 2), 1));
}

/* "550 5.7.1 text" or "550-text": the code, and the rest behind the separator. */
static bool code_of(str line, int *code, str *rest)
{
	if (!str_is_digits(str_head(line, 3)))
		return false;
	if (line.n < 4 || (line.p[3] != ' ' && line.p[3] != '-'))
		return false;
	*code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
	*rest = str_from(line, 4);
	return *code >= 400 && *code < 600 && !other_class(line, *rest);
}

/* Text with "%%" as "%": the library of milters doubles it. */
static void put_text(struct buf *out, str text)
{
	for (size_t i = 0; i < text.n; i++) {
		buf_char(out, text.p[i]);
		if (text.p[i] == '%' && i + 1 < text.n && text.p[i + 1] == '%')
			i++;
	}
}

static int bad_code(str line, struct err *err)
{
	struct buf shown = {0};

	buf_escape(&shown, line, 100);
	err_set(err, "bad reply code in \"%s\"", buf_text(&shown));
	buf_free(&shown);
	return -1;
}

int milter_replycode(str text, struct buf *out, struct err *err)
{
	int code, first = 0;
	str line, rest;

	buf_clear(out);
	if (text.n == 0 || text.p[text.n - 1] != 0)
		return err_set(err, "reply code is cut short");
	if (text.n > MILTER_REPLY_MAX)
		return err_set(err, "reply code with %zu bytes of text", text.n);
	text = str_chomp(str_head(text, text.n - 1));
	while (str_split(&text, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!code_of(line, &code, &rest) || (first && code != first) ||
		    str_chr(line, 0) >= 0)
			return bad_code(line, err);
		if (first)
			buf_char(out, '\n');
		else
			buf_printf(out, "%d ", code);
		first = code;
		put_text(out, rest);
	}
	return 0;
}
