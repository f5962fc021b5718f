#include "param/conffile.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Without white space at the end. */
static str cut_end(str s)
{
	while (s.n && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

bool conffile_next(struct conffile *f, struct buf *out)
{
	bool found = false;

	buf_clear(out);
	while (f->rest.n) {
		ptrdiff_t end = str_chr(f->rest, '\n');
		str line = str_head(f->rest, end < 0 ? f->rest.n : (size_t)end);
		str word = str_trim(line);
		bool ignored = !word.n || word.p[0] == '#';

		if (found && !ignored && !is_blank(line.p[0]))
			break; /* the next logical line */
		f->rest = str_from(f->rest, end < 0 ? f->rest.n : (size_t)end + 1);
		f->line++;
		if (ignored)
			continue;
		if (!found)
			f->first = f->line;
		found = true;
		buf_str(out, line);
	}
	buf_cut(out, cut_end(buf_view(out)).n);
	return found;
}

int conffile_assignment(str line, str *name, str *value, struct err *err)
{
	str s = str_trim(line);
	size_t n = 0;

	while (n < s.n && !is_blank(s.p[n]) && s.p[n] != '=')
		n++;
	*name = str_head(s, n);
	while (n < s.n && is_blank(s.p[n]))
		n++;
	if (!name->n)
		return err_set(err, "missing attribute name: \"%.*s\"", STR_FMT(str_head(s, 200)));
	if (n == s.n || s.p[n] != '=')
		return err_set(
		    err, "missing '=' after attribute name: \"%.*s\"", STR_FMT(str_head(s, 200)));
	*value = str_trim(str_from(s, n + 1));
	return 0;
}

ptrdiff_t conffile_close(str text, char open, char close)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == open)
			depth++;
		else if (text.p[i] == close && --depth == 0)
			return (ptrdiff_t)i + 1;
	}
	return -1;
}

int conffile_braces(str text, str *inner, struct err *err)
{
	ptrdiff_t end = conffile_close(text, '{', '}');

	*inner = str_trim(str_from(end < 0 ? text : str_head(text, (size_t)end - 1), 1));
	if (end < 0)
		return err_set(err, "missing '}' in \"%.*s\"", STR_FMT(str_head(text, 200)));
	if ((size_t)end < text.n)
		return err_set(
		    err, "syntax error after '}' in \"%.*s\"", STR_FMT(str_head(text, 200)));
	return 0;
}

bool conffile_word(str *rest, str *word)
{
	return str_word_braced(rest, CONFFILE_WHITE, word);
}
