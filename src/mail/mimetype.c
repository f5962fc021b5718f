#include "mail/mimetype.h"

#include "base/mem.h"
#include "base/names.h"

/* Skips white space, line breaks and comments (RFC 5322 3.2.2). */
static str skip_space(str s)
{
	size_t depth = 0, i = 0;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth)
			depth--;
		else if (c == '\\' && depth)
			i++;
		else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
	return str_from(s, i);
}

/* Takes a token: up to white space or one of the bytes in ends. */
static str take_token(str *s, const char *ends)
{
	size_t i = 0;
	str token;

	while (i < s->n && s->p[i] && !strchr(" \t\r\n", s->p[i]) && !strchr(ends, s->p[i]))
		i++;
	token = str_head(*s, i);
	*s = str_from(*s, i);
	return token;
}

/* Takes a parameter's value, quoted or not. Tolerant: without quotes it may have specials in it. */
static void take_value(str *s, struct buf *out, size_t limit)
{
	size_t i;

	if (s->n == 0 || s->p[0] != '"') {
		buf_str(out, str_head(take_token(s, ";"), limit));
		return;
	}
	for (i = 1; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		if (out->n < limit && s->p[i] != '\n' && s->p[i] != '\r')
			buf_char(out, s->p[i]);
	}
	*s = str_from(*s, i + 1);
}

static str to_parameter(str s)
{
	struct buf ignored = {0};

	s = skip_space(s);
	while (s.n && s.p[0] != ';') {
		if (s.p[0] == '"')
			take_value(&s, &ignored, 0);
		else
			s = str_from(s, 1);
		s = skip_space(s);
	}
	buf_free(&ignored);
	return skip_space(str_from(s, 1));
}

static void find_boundary(str s, struct buf *boundary, size_t limit)
{
	buf_clear(boundary);
	for (s = to_parameter(s); s.n; s = to_parameter(s)) {
		str name = take_token(&s, ";=(");

		s = skip_space(s);
		if (s.n == 0 || s.p[0] != '=' || !str_eq_nocase(name, STR("boundary")))
			continue;
		s = skip_space(str_from(s, 1));
		take_value(&s, boundary, limit);
		return;
	}
}

struct mime_type mime_parse_type(str value, struct buf *boundary, size_t limit)
{
	struct mime_type t = {0};
	str type, subtype;

	value = skip_space(value);
	type = take_token(&value, "/;(");
	value = skip_space(value);
	if (value.n == 0 || value.p[0] != '/')
		return t;
	value = skip_space(str_from(value, 1));
	subtype = take_token(&value, "/;(");
	if (str_eq_nocase(type, STR("multipart"))) {
		find_boundary(value, boundary, limit);
		t.kind = MIME_MULTIPART;
		t.digest = str_eq_nocase(subtype, STR("digest"));
	} else if (str_eq_nocase(type, STR("message"))) {
		t.global = str_eq_nocase(subtype, STR("global"));
		if (t.global || str_eq_nocase(subtype, STR("rfc822")))
			t.kind = MIME_MESSAGE;
		else if (str_eq_nocase(subtype, STR("partial")) ||
			 str_eq_nocase(subtype, STR("external-body")))
			t.kind = MIME_PIECE;
	}
	return t;
}

enum mime_encoding mime_parse_encoding(str value)
{
	static const struct name_row names[] = {
	    {"7bit", MIME_7BIT},
	    {"8bit", MIME_8BIT},
	    {"binary", MIME_BINARY},
	    {"base64", MIME_BASE64},
	    {"quoted-printable", MIME_QP},
	    {NULL, 0},
	};

	value = skip_space(value);
	return (enum mime_encoding)names_value(
	    names, take_token(&value, ";("), MIME_ENCODING_OTHER);
}
