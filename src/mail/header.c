#include "mail/header.h"

#include "base/mem.h"

static const struct header_row rows[] = {
    {HDR_OTHER, "", 0},
#define HEADER(ID, name, flags) {HDR_##ID, name, flags},
#include "mail/header.tbl"
#undef HEADER
};
static const struct header_row other_mime = {HDR_OTHER, "", H_MIME};

const struct header_row *header_row(enum header_id id)
{
	return (size_t)id < ARRAY_SIZE(rows) ? &rows[id] : &rows[HDR_OTHER];
}

/* The table is short, and first letters tell most names apart. */
const struct header_row *header_find(str name)
{
	for (size_t i = 1; i < ARRAY_SIZE(rows); i++)
		if (name.n && (rows[i].name[0] | 32) == (name.p[0] | 32) &&
		    str_eq_nocase(str_of(rows[i].name), name))
			return &rows[i];
	return str_starts_nocase(name, STR("Content-")) ? &other_mime : &rows[HDR_OTHER];
}

/* RFC 5322 2.2, 4.5: field-name = 1*ftext, then obsolete white space, then ":" */
size_t header_name_length(str line)
{
	size_t n = 0, i;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
		n++;
	i = n;
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return i < line.n && line.p[i] == ':' ? n : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool header_split(str text, str *name, str *value)
{
	size_t n = header_name_length(text);

	if (n == 0)
		return false;
	*name = str_head(text, n);
	*value = str_from(text, (size_t)str_chr(text, ':') + 1);
	while (value->n && is_blank(value->p[0]))
		*value = str_from(*value, 1);
	return true;
}

void header_unfold(struct buf *out, str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\n' &&
		    !(value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n'))
			buf_char(out, value.p[i]);
}

void header_wire(struct buf *out, str text)
{
	str line;

	while (str_split(&text, '\n', &line)) {
		if (line.n && line.p[0] == '.')
			buf_char(out, '.');
		buf_str(out, line);
		buf_add(out, "\r\n", 2);
	}
}

bool header_listed(const char *list, str name)
{
	str rest = str_of(list), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, name))
			return true;
	return false;
}
