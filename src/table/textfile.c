#include "table/textfile.h"
#include "base/mem.h"
#include "log/log.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>

#define SPACES " \t\r\n\f\v"

static bool is_space(char c)
{
	return c && strchr(SPACES, c) != NULL;
}

int textfile_open(struct textfile *tf, const char *path, const char *what, struct err *err)
{
	*tf = (struct textfile){.name = path};
	tf->f = fopen(path, "re");
	if (!tf->f)
		return err_errno(err, errno, "open %s%s", what, path);
	if (fstat(fileno(tf->f), &tf->st) != 0 || S_ISDIR(tf->st.st_mode)) {
		textfile_close(tf);
		return err_errno(err, EISDIR, "open %s%s", what, path);
	}
	return 0;
}

int textfile_memory(struct textfile *tf, str text, const char *name, struct err *err)
{
	*tf = (struct textfile){.name = name};
	tf->f = text.n ? fmemopen((void *)text.p, text.n, "r") : fopen("/dev/null", "re");
	return tf->f ? 0 : err_errno(err, errno, "%s", name);
}

void textfile_stdio(struct textfile *tf, FILE *f, const char *name)
{
	*tf = (struct textfile){.f = f, .name = name};
}

void textfile_close(struct textfile *tf)
{
	if (tf->f && tf->f != stdin)
		fclose(tf->f);
	buf_free(&tf->text);
	*tf = (struct textfile){0};
}

/* Appends one physical line without its LF. 1, 0 at the end, -1. */
static int read_line(struct textfile *tf, struct err *err)
{
	bool any = false;
	int c;

	flockfile(tf->f);
	while ((c = getc_unlocked(tf->f)) != EOF && c != '\n') {
		any = true;
		if (tf->text.n >= TEXTFILE_LINE_MAX)
			break;
		buf_char(&tf->text, (char)c);
	}
	funlockfile(tf->f);
	if (c == EOF && ferror(tf->f))
		return err_errno(err, errno, "read %s", tf->name);
	if (c != EOF && c != '\n')
		return err_set(err, "%s, line %d: line longer than %d bytes", tf->name,
		    tf->last + 1, TEXTFILE_LINE_MAX);
	if (c == EOF && !any)
		return 0;
	tf->last++;
	return 1;
}

/* Whether the physical line from byte at on says nothing. */
static bool is_comment(const struct textfile *tf, size_t at)
{
	while (at < tf->text.n && is_space(tf->text.p[at]))
		at++;
	return at == tf->text.n || tf->text.p[at] == '#';
}

/* Reads what continues the logical line: lines that begin with white space, comments among them
 * skipped. */
static int read_continuation(struct textfile *tf, struct err *err)
{
	for (;;) {
		size_t at = tf->text.n;
		int c = getc(tf->f), r;

		if (c == EOF)
			return ferror(tf->f) ? err_errno(err, errno, "read %s", tf->name) : 0;
		ungetc(c, tf->f);
		if (c != ' ' && c != '\t' && c != '#' && c != '\n' && c != '\r')
			return 0;
		r = read_line(tf, err);
		if (r < 0)
			return -1;
		if (is_comment(tf, at))
			buf_cut(&tf->text, at);
	}
}

int textfile_next(struct textfile *tf, str *line, struct err *err)
{
	int r;

	for (;;) {
		buf_clear(&tf->text);
		r = read_line(tf, err);
		if (r <= 0)
			return r;
		if (is_comment(tf, 0))
			continue;
		tf->line = tf->last;
		if (read_continuation(tf, err) != 0)
			return -1;
		if (!is_space(tf->text.p[0]))
			break;
		log_warn("%s: logical line must not start with whitespace: \"%.*s\"", tf->name,
		    STR_FMT(str_head(buf_view(&tf->text), 30)));
	}
	tf->nul_seen = memchr(tf->text.p, '\0', tf->text.n) != NULL;
	if (tf->nul_seen)
		buf_cut(&tf->text, strlen(tf->text.p));
	while (tf->text.n && is_space(tf->text.p[tf->text.n - 1]))
		buf_cut(&tf->text, tf->text.n - 1);
	*line = buf_view(&tf->text);
	return 1;
}

int textfile_pair(str line, str *key, str *value, const char **what, const char **warn)
{
	bool quoted = false;
	size_t n = 0;

	*what = *warn = NULL;
	for (; n < line.n && (quoted || !is_space(line.p[n])); n++) {
		if (line.p[n] == '"')
			quoted = !quoted;
		else if (line.p[n] == '\\' && n + 1 < line.n)
			n++;
	}
	*key = str_head(line, n);
	*value = str_trim(str_from(line, n));
	if (quoted) {
		*what = "unbalanced";
		return -1;
	}
	if (n == 0 || value->n == 0) {
		*what = "expected format: key whitespace value";
		return -1;
	}
	if (key->p[n - 1] == ':')
		*warn = "record is in \"key: value\" format; is this an alias file?";
	return 0;
}

int textfile_inline(str name, struct buf *lines, const char *type, struct err *err)
{
	str rest, word, rule;

	if (table_braces(name, &rest, err) != 0)
		return err_prefix(err, "%s map", type);
	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		if (word.p[0] != '{')
			return err_set(err, "%s map: no '{' at start of text in \"%.*s\"", type,
			    STR_FMT(str_head(word, 200)));
		if (table_braces(word, &rule, err) != 0)
			return err_prefix(err, "%s map", type);
		buf_str(lines, rule);
		buf_char(lines, '\n');
	}
	return 0;
}
