#include "param/expand.h"
#include "param/conffile.h"
#include <idn2.h>
#include <stdlib.h>

#define MAX_DEPTH 100 /* groups in groups */

struct expand {
	expand_look look;
	void *ctx;
	struct err *err;
	bool scan; /* visit both branches of every condition; the output does not matter */
};

static int expand_into(struct expand *e, struct buf *out, str text, int depth);

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* What was expected, and where: what was read before it, and what stands there instead. */
static int unexpected(struct expand *e, const char *what, str before, const char *tail, str rest)
{
	return err_set(e->err, "%s at: \"...%.*s%s>>>%.*s\"", what, STR_FMT(str_head(before, 100)),
	    tail, STR_FMT(str_head(rest, 20)));
}

static str skip_blank(str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s = str_from(s, 1);
	return s;
}

static str take_name(str *s)
{
	size_t n = 0;

	while (n < s->n && is_name(s->p[n]))
		n++;
	str name = str_head(*s, n);
	*s = str_from(*s, n);
	return name;
}

/* The text between the braces that *s begins with; *s goes on behind them and the blanks there. The
 * outer text is balanced, but not each part of it. before: what was read, for the error. */
static int take_group(struct expand *e, str before, str *s, str *group)
{
	str at = skip_blank(*s);
	ptrdiff_t end = at.n && at.p[0] == '{' ? conffile_close(at, '{', '}') : -1;

	if (end < 0)
		return unexpected(e, "\"{expression}\" expected", before, "", *s);
	*s = at;
	*group = str_head(str_from(*s, 1), (size_t)end - 2);
	*s = skip_blank(str_from(*s, (size_t)end));
	return 0;
}

/* What follows the condition: [ "?" branch ] [ ":" branch ], one of them at least.
 *     branch = "{" text "}" / text up to the end */
static int expand_branches(struct expand *e, struct buf *out, str s, bool cond, int depth)
{
	str yes = {0}, no = {0};
	bool open_end = false;

	if (s.n && s.p[0] == '?') {
		str rest = skip_blank(str_from(s, 1));

		if (rest.n && rest.p[0] == '{') {
			if (take_group(e, STR("?"), &rest, &yes) != 0)
				return -1;
			if (rest.n && rest.p[0] != ':')
				return unexpected(e, "\":\" expected", yes, "}", rest);
			s = rest;
		} else {
			yes = str_from(s, 1);
			open_end = true;
		}
	}
	if (!open_end && s.n && s.p[0] == ':') {
		str rest = skip_blank(str_from(s, 1));

		if (rest.n && rest.p[0] == '{') {
			if (take_group(e, STR(":"), &rest, &no) != 0)
				return -1;
			if (rest.n)
				return unexpected(e, "unexpected input", no, "}", rest);
		} else {
			no = str_from(s, 1);
		}
	}
	if ((cond || e->scan) && expand_into(e, out, yes, depth + 1) != 0)
		return -1;
	if ((!cond || e->scan) && expand_into(e, out, no, depth + 1) != 0)
		return -1;
	return 0;
}

/* A compatibility level, up to three numbers with dots between, as one number. */
static int level_parse(struct expand *e, str text, uint64_t *level)
{
	str rest = text, part;
	int n = 0;

	*level = 0;
	for (; n < 3 && rest.n; n++) {
		ptrdiff_t dot = str_chr(rest, '.');
		uint64_t v;

		part = str_head(rest, dot < 0 ? rest.n : (size_t)dot);
		rest = str_from(rest, dot < 0 ? rest.n : (size_t)dot + 1);
		if (!str_to_u64(part, &v) || v > 0xffff || (dot >= 0 && !rest.n))
			break;
		*level |= v << (32 - 16 * n);
	}
	if (!n || rest.n)
		return err_set(e->err, "malformed compatibility level syntax: \"%.*s\"",
		    STR_FMT(str_head(text, 100)));
	return 0;
}

static int compare_values(struct expand *e, str a, str b, bool level, int *order)
{
	uint64_t x, y;

	if (level) {
		if (level_parse(e, a, &x) != 0 || level_parse(e, b, &y) != 0)
			return -1;
	} else if (!str_to_u64(a, &x) || !str_to_u64(b, &y)) {
		*order = str_cmp(a, b);
		return 0;
	}
	*order = x < y ? -1 : x > y;
	return 0;
}

enum order_bits { LESS = 1, EQUAL = 2, GREATER = 4 };
static const struct {
	str text;
	int accepts;
} operators[] = {
    {STR("=="), EQUAL},
    {STR("!="), LESS | GREATER},
    {STR("<="), LESS | EQUAL},
    {STR(">="), GREATER | EQUAL},
    {STR("<"), LESS},
    {STR(">"), GREATER},
};

/* "{" text "}" operator ["level"] "{" text "}" */
static int expand_relation(struct expand *e, str *s, bool *result, int depth)
{
	struct buf a = {0}, b = {0};
	str left, right, whole = *s;
	int accepts = 0, order = 0, r = -1;
	bool level = false;

	if (take_group(e, (str){0}, s, &left) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]) && !accepts; i++) {
		if (str_starts(*s, operators[i].text)) {
			accepts = operators[i].accepts;
			*s = str_from(*s, operators[i].text.n);
		}
	}
	if (!accepts)
		return unexpected(e,
		    "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected", left, "}",
		    *s);
	if (str_starts(*s, STR("level"))) {
		level = true;
		*s = str_from(*s, 5);
	}
	if (take_group(e, str_head(whole, (size_t)(s->p - whole.p)), s, &right) != 0)
		return -1;
	if (expand_into(e, &a, left, depth + 1) == 0 && expand_into(e, &b, right, depth + 1) == 0)
		r = e->scan ? 0 : compare_values(e, buf_view(&a), buf_view(&b), level, &order);
	*result = (accepts & (order < 0 ? LESS : order > 0 ? GREATER : EQUAL)) != 0;
	buf_free(&a);
	buf_free(&b);
	return r;
}

/* domain_to_ascii{text}: a domain in its ASCII form (RFC 5890); what has none stays as it is. */
static int expand_idna(struct expand *e, struct buf *out, str *s, int depth)
{
	struct buf name = {0};
	char *ascii = NULL;
	str arg;

	if (take_group(e, (str){0}, s, &arg) != 0 || expand_into(e, &name, arg, depth + 1) != 0) {
		buf_free(&name);
		return -1;
	}
	if (!str_is_ascii(buf_view(&name)) &&
	    idn2_to_ascii_8z(buf_text(&name), &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK)
		buf_cstr(out, ascii);
	else
		buf_str(out, buf_view(&name));
	idn2_free(ascii);
	buf_free(&name);
	return 0;
}

/* The inside of ${...} or $(...). */
static int expand_reference(struct expand *e, struct buf *out, str whole, str s, int depth)
{
	bool cond = false;

	s = skip_blank(s);
	if (s.n && s.p[0] == '{') {
		if (expand_relation(e, &s, &cond, depth) != 0)
			return -1;
		if (!s.n) {
			buf_cstr(out, cond ? "true" : "");
			return 0;
		}
		if (s.p[0] != '?' && s.p[0] != ':')
			return unexpected(e, "\"?\" or \":\" expected", (str){0}, "}", s);
		return expand_branches(e, out, s, cond, depth);
	}
	str name = take_name(&s);
	if (!name.n && !s.n)
		return err_set(e->err, "empty macro name: \"%.*s\"", STR_FMT(str_head(whole, 100)));
	if (s.n && s.p[0] == '{' && str_eq(name, STR("domain_to_ascii")))
		return expand_idna(e, out, &s, depth);
	str rest = s;
	s = skip_blank(s);
	if (!name.n || (s.n && s.p[0] != '?' && s.p[0] != ':'))
		return unexpected(e, "attribute name syntax error", name, "", rest);
	const char *value = e->look(e->ctx, name);
	if (!s.n) {
		buf_cstr(out, value ? value : "");
		return 0;
	}
	return expand_branches(e, out, s, value && *value, depth);
}

/* One "$..." at the front of *s; text is all of it, for errors. */
static int expand_dollar(struct expand *e, struct buf *out, str text, str *s, int depth)
{
	str rest = str_from(*s, 1);
	char c = rest.n ? rest.p[0] : 0;

	if (c == '$') {
		buf_char(out, '$');
		*s = str_from(rest, 1);
		return 0;
	}
	if (c == '{' || c == '(') {
		ptrdiff_t end = conffile_close(rest, c, c == '{' ? '}' : ')');

		if (end < 0)
			return err_set(e->err, "truncated macro reference: \"%.*s\"",
			    STR_FMT(str_head(text, 100)));
		str whole = str_head(*s, (size_t)end + 1);
		*s = str_from(rest, (size_t)end);
		return expand_reference(
		    e, out, whole, str_head(str_from(rest, 1), (size_t)end - 2), depth);
	}
	str name = take_name(&rest);
	if (!name.n)
		return err_set(e->err, "empty macro name: \"%.*s\"", STR_FMT(str_head(text, 100)));
	*s = rest;
	const char *value = e->look(e->ctx, name);
	buf_cstr(out, value ? value : "");
	return 0;
}

static int expand_into(struct expand *e, struct buf *out, str text, int depth)
{
	if (depth > MAX_DEPTH)
		return err_set(e->err, "unreasonable macro call nesting: \"%.*s\"",
		    STR_FMT(str_head(text, 60)));
	for (str whole = text; text.n;) {
		ptrdiff_t dollar = str_chr(text, '$');
		size_t n = dollar < 0 ? text.n : (size_t)dollar;

		buf_add(out, text.p, n);
		text = str_from(text, n);
		if (text.n && expand_dollar(e, out, whole, &text, depth) != 0)
			return -1;
		if (out->n > CONFFILE_LIMIT)
			return err_set(
			    e->err, "text grows beyond %d bytes when expanded", CONFFILE_LIMIT);
	}
	return 0;
}

int expand_text(struct buf *out, str text, expand_look look, void *ctx, struct err *err)
{
	struct expand e = {look, ctx, err, false};

	return expand_into(&e, out, text, 0);
}

int expand_scan(str text, expand_look look, void *ctx, struct err *err)
{
	struct expand e = {look, ctx, err, true};
	struct buf unused = {0};
	int r = expand_into(&e, &unused, text, 0);

	buf_free(&unused);
	return r;
}
