#include "milter/fields.h"

#include "base/mem.h"
#include "mail/header.h"

#include <stdlib.h>

/* --- list */

void milter_fields_free(struct milter_fields *f)
{
	free(f->v);
	*f = (struct milter_fields){0};
}

void milter_fields_insert(struct milter_fields *f, size_t at, str text)
{
	if (at > f->n)
		at = f->n;
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 32;
		f->v = mem_realloc(f->v, f->cap * sizeof(*f->v));
	}
	memmove(&f->v[at + 1], &f->v[at], (f->n - at) * sizeof(*f->v));
	f->v[at] = (struct milter_field){.text = text};
	f->n++;
}

void milter_fields_remove(struct milter_fields *f, size_t at)
{
	f->n--;
	memmove(&f->v[at], &f->v[at + 1], (f->n - at) * sizeof(*f->v));
}

ptrdiff_t milter_fields_find(const struct milter_fields *f, str name, uint32_t nth)
{
	str has, value;

	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].hidden || !milter_field_split(f->v[i].text, &has, &value) ||
		    !str_eq_nocase(has, name))
			continue;
		if (nth <= 1)
			return (ptrdiff_t)i;
		nth--;
	}
	return -1;
}

/* --- wire form */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next line out of *rest, without its CRLF and its stuffing. */
static str next_line(str *rest)
{
	ptrdiff_t lf = str_chr(*rest, '\n');
	str line = str_head(*rest, lf < 0 ? rest->n : (size_t)lf);

	*rest = str_from(*rest, line.n + (lf >= 0));
	if (lf >= 0 && line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line.n && line.p[0] == '.' ? str_from(line, 1) : line;
}

/* A field is rewritten to LF ends in place: it only gets shorter. */
bool milter_fields_parse(struct milter_fields *f, struct arena *a, str wire)
{
	char *copy = arena_alloc(a, wire.n + 1), *to = copy;
	str rest = wire;

	while (rest.n) {
		str line = next_line(&rest);

		if (line.n == 0)
			return true;
		if (f->n && is_blank(line.p[0])) {
			*to++ = '\n';
			f->v[f->n - 1].text.n += line.n + 1;
		} else {
			milter_fields_insert(f, f->n, str_mem(to, line.n));
		}
		memcpy(to, line.p, line.n);
		to += line.n;
	}
	return false;
}

void milter_fields_put(const struct milter_fields *f, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++)
		header_wire(out, f->v[i].text);
}

/* --- texts */

bool milter_field_split(str text, str *name, str *value)
{
	size_t n = header_name_length(text);

	*name = str_head(text, n);
	*value = n ? str_from(text, (size_t)str_chr(text, ':') + 1) : STR("");
	return n > 0;
}

static bool is_name(str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 127 || name.p[i] == ':')
			return false;
	return name.n > 0;
}

/* A CR inside a line would be taken for its end by somebody. */
static void put_line(struct buf *out, str line)
{
	for (size_t i = 0; i < line.n; i++)
		buf_char(out, line.p[i] == '\r' ? ' ' : line.p[i]);
}

static void put_value(struct buf *out, str value)
{
	str line;

	for (bool first = true; str_split(&value, '\n', &line); first = false) {
		while (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!first) {
			if (str_trim(line).n == 0)
				continue;
			buf_char(out, '\n');
			if (!is_blank(line.p[0]))
				buf_char(out, '\t');
		}
		put_line(out, line);
	}
}

str milter_field_text(struct arena *a, str name, str value, bool leading)
{
	struct buf text = {0};
	str kept = {NULL, 0};

	if (!is_name(name))
		return kept;
	buf_str(&text, name);
	buf_cstr(&text, leading ? ":" : ": ");
	put_value(&text, value);
	kept = arena_str(a, buf_view(&text));
	buf_free(&text);
	return kept;
}
