/* RFC 5321 4.2: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ]
 * CRLF */
#include "smtpwire/reply.h"

#include "mail/dsn.h"

#include <stdio.h>
#include <stdlib.h>

void reply_start(struct reply *r)
{
	struct buf text = r->text;

	buf_clear(&text);
	*r = (struct reply){.text = text};
}

void reply_free(struct reply *r)
{
	buf_free(&r->text);
	*r = (struct reply){0};
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Three digits, then a space, a dash or the end; *more: a dash. -1 when it is not so. */
static int line_code(str line, bool *more)
{
	if (line.n < 3 || !is_digit(line.p[0]) || !is_digit(line.p[1]) || !is_digit(line.p[2]))
		return -1;
	*more = line.n > 3 && line.p[3] == '-';
	if (line.n > 3 && line.p[3] != ' ' && !*more)
		return -1;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
}

static void keep_text(struct reply *r, str line)
{
	size_t room = r->text.n < REPLY_TEXT_MAX ? REPLY_TEXT_MAX - r->text.n : 0;

	if (room && r->begun_)
		buf_char(&r->text, '\n');
	line = str_head(line, REPLY_LINE_MAX);
	if (line.n > room)
		line.n = room;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		buf_char(&r->text, c < ' ' || c == 127 ? '?' : (char)c);
	}
	r->begun_ = true;
}

/* The last line tells; its class must be the code's (RFC 2034 4). */
static void keep_dsn(struct reply *r, str line)
{
	str text = str_from(line, 4);
	size_t n = dsn_valid(text);

	r->dsn[0] = 0;
	if (n && n < sizeof r->dsn && text.p[0] - '0' == r->code / 100)
		snprintf(r->dsn, sizeof r->dsn, "%.*s", (int)n, text.p);
}

enum reply_state reply_line(struct reply *r, str line)
{
	bool more = false;
	int code;

	line = str_chomp(line);
	if (++r->lines > REPLY_LINES_MAX)
		return REPLY_BAD;
	code = line_code(line, &more);
	if (code < 0) {
		r->garbage = true;
		return REPLY_MORE;
	}
	if (r->code && r->code != code)
		r->inconsistent = true;
	r->code = code;
	keep_text(r, line);
	if (more)
		return REPLY_MORE;
	keep_dsn(r, line);
	return REPLY_DONE;
}

bool reply_get_line(const struct reply *r, unsigned n, str *line)
{
	str rest = buf_view(&r->text);

	while (str_split(&rest, '\n', line))
		if (n-- == 0) {
			*line = str_from(*line, 4);
			return true;
		}
	return false;
}

void reply_joined(const struct reply *r, struct buf *out)
{
	size_t start = out->n;

	buf_str(out, buf_view(&r->text));
	for (size_t i = start; i < out->n; i++)
		if (out->p[i] == '\n')
			out->p[i] = ' ';
}

const char *reply_dsn(const struct reply *r, char out[16])
{
	int class = r->code / 100;

	if (r->dsn[0])
		snprintf(out, 16, "%s", r->dsn);
	else
		snprintf(out, 16, "%d.%s", class == 2 || class == 4 || class == 5 ? class : 5,
		    class == 2 || class == 4 || class == 5 ? "0.0" : "5.0");
	return out;
}

/* --- writing */

static void put_text(struct buf *out, str text, bool utf8)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		buf_char(out, c < ' ' || c == 127 || (c > 127 && !utf8) ? '?' : (char)c);
	}
}

static void put_line(struct buf *out, int code, bool last, const char *dsn, str text, bool utf8)
{
	buf_printf(out, "%03d%c", code, last ? ' ' : '-');
	if (dsn && *dsn) {
		buf_cstr(out, dsn);
		if (text.n)
			buf_char(out, ' ');
	}
	put_text(out, text, utf8);
	buf_add(out, "\r\n", 2);
}

/* A line that has an enhanced code of the same class. */
static bool has_dsn(const char *dsn, str line)
{
	return dsn && *dsn && line.n && line.p[0] == dsn[0] && dsn_valid(line) > 0;
}

void reply_put(struct buf *out, int code, const char *dsn, str text, bool utf8)
{
	bool first = true;
	str line;

	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	do {
		ptrdiff_t end = str_chr(text, '\n');

		line = end < 0 ? text : str_head(text, (size_t)end);
		text = end < 0 ? (str){text.p, 0} : str_from(text, (size_t)end + 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		put_line(out, code, end < 0, first || !has_dsn(dsn, line) ? dsn : NULL, line, utf8);
		first = false;
		if (end < 0)
			return;
	} while (true);
}

/* Next line of a footer: ended by a newline or by the two characters \n. */
static bool footer_line(str *rest, str *line)
{
	if (!rest->p)
		return false;
	for (size_t i = 0; i < rest->n; i++) {
		bool two = rest->p[i] == '\\' && i + 1 < rest->n && rest->p[i + 1] == 'n';

		if (rest->p[i] == '\n' || two) {
			*line = str_head(*rest, i);
			*rest = str_from(*rest, i + 1 + two);
			return true;
		}
	}
	*line = *rest;
	*rest = (str){NULL, 0};
	return true;
}

void reply_put_footer(struct buf *out, size_t start, str footer)
{
	size_t last, n;
	char code[4], dsn[16] = "";
	str line;

	if (out->n < start + 5 || footer.n == 0)
		return;
	for (last = out->n - 2; last > start && out->p[last - 1] != '\n';)
		last--;
	memcpy(code, out->p + last, 3);
	code[3] = 0;
	n = dsn_valid(str_mem(out->p + last + 4, out->n - last - 4));
	if (n && n < sizeof dsn)
		snprintf(dsn, sizeof dsn, "%.*s", (int)n, out->p + last + 4);
	if (str_starts(footer, STR("\\c"))) {
		footer = str_from(footer, 2);
		footer_line(&footer, &line);
		buf_cut(out, out->n - 2);
		put_text(out, line, true);
		buf_add(out, "\r\n", 2);
	}
	while (footer_line(&footer, &line)) {
		out->p[last + 3] = '-';
		last = out->n;
		put_line(out, atoi(code), true, dsn, line, true);
	}
}

/* How much of a text that is longer than room goes first: up to behind a space, or else to a
 * character's end. */
static size_t break_at(str text, size_t room)
{
	size_t at = room;

	while (at > room / 2 && text.p[at - 1] != ' ')
		at--;
	if (at > room / 2)
		return at;
	for (at = room; at > room - 3 && ((unsigned char)text.p[at] & 0xc0) == 0x80;)
		at--;
	return at;
}

static void fold_line(struct buf *out, str line)
{
	size_t dsn = dsn_valid(str_from(line, 4)), head = 4 + dsn + (dsn > 0), at;
	size_t room = REPLY_LINE_LIMIT - 2 - head;
	str text = str_from(line, head), part;

	for (; text.n > room; text = str_from(text, at)) {
		at = break_at(text, room);
		part = str_head(text, at);
		while (part.n && part.p[part.n - 1] == ' ')
			part.n--;
		buf_str(out, str_head(line, 3));
		buf_char(out, '-');
		buf_str(out, str_head(str_from(line, 4), head - 4));
		buf_str(out, part);
		buf_cstr(out, "\r\n");
	}
	buf_str(out, str_head(line, head));
	buf_str(out, text);
	buf_cstr(out, "\r\n");
}

void reply_fold(struct buf *out, size_t start)
{
	struct buf whole = {0};
	str rest, line;

	if (out->n - start <= REPLY_LINE_MAX)
		return;
	buf_str(&whole, str_from(buf_view(out), start));
	buf_cut(out, start);
	rest = buf_view(&whole);
	while (rest.n && str_split(&rest, '\n', &line)) {
		line.n -= line.n && line.p[line.n - 1] == '\r';
		if (line.n <= REPLY_LINE_MAX - 2) {
			buf_str(out, line);
			buf_cstr(out, "\r\n");
		} else {
			fold_line(out, line);
		}
	}
	buf_free(&whole);
}

bool reply_split(str full, int *code, str *dsn, str *text)
{
	bool more;
	int c = line_code(str_head(full, 4), &more);
	size_t n;

	if (c < 200 || c > 599)
		return false;
	*code = c;
	*text = str_from(full, 4);
	while (text->n && text->p[0] == ' ')
		*text = str_from(*text, 1);
	n = dsn_valid(*text);
	*dsn = str_head(*text, n);
	*text = str_from(*text, n);
	while (text->n && text->p[0] == ' ')
		*text = str_from(*text, 1);
	return true;
}
