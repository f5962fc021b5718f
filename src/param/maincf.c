#include "param/maincf.h"
#include "base/file.h"
#include "param/conffile.h"

const struct maincf_entry *maincf_get(const struct maincf *m, str name)
{
	return htab_get(&m->names, name);
}

void maincf_set(struct maincf *m, str name, str value, int line)
{
	struct maincf_entry *e = arena_zero(&m->mem, sizeof(*e));

	e->value = arena_cstr(&m->mem, value);
	e->line = line;
	htab_set(&m->names, name, e);
}

static void warn_text(void (*warn)(const char *), struct buf *b)
{
	if (warn)
		warn(buf_text(b));
	buf_free(b);
}

static void warn_again(void (*warn)(const char *), const char *path, int line, str name, str value)
{
	struct buf b = {0};

	buf_printf(&b, "%s, line %d: overriding earlier entry: %.*s=", path, line,
	    STR_FMT(str_head(name, 100)));
	buf_escape(&b, value, 200);
	warn_text(warn, &b);
}

static void warn_white(void (*warn)(const char *), const char *path, str line)
{
	struct buf b = {0};

	buf_printf(&b, "%s: logical line must not start with whitespace: \"", path);
	buf_escape(&b, line, 100);
	buf_char(&b, '"');
	warn_text(warn, &b);
}

int maincf_parse(
    struct maincf *m, const char *path, str text, void (*warn)(const char *), struct err *err)
{
	struct conffile f = {.rest = text};
	struct buf line = {0};
	str name, value;
	int r = 0;

	while (r == 0 && conffile_next(&f, &line)) {
		if (line.p[0] == ' ' || line.p[0] == '\t') {
			warn_white(warn, path, buf_view(&line));
			continue;
		}
		if (memchr(line.p, 0, line.n)) {
			err_set(err, "line has a NUL byte");
			r = -1;
		} else {
			r = conffile_assignment(buf_view(&line), &name, &value, err);
		}
		if (r != 0)
			err_prefix(err, "%s, line %d", path, f.first);
		if (r == 0) {
			const struct maincf_entry *old = maincf_get(m, name);

			if (old && old->line)
				warn_again(warn, path, f.first, name, str_of(old->value));
			maincf_set(m, name, value, f.first);
		}
	}
	buf_free(&line);
	return r;
}

int maincf_read(struct maincf *m, const char *path, void (*warn)(const char *), struct err *err)
{
	struct buf text = {0};
	int r = file_read(path, CONFFILE_LIMIT, &text, err);

	if (r == 0)
		r = maincf_parse(m, path, buf_view(&text), warn, err);
	buf_free(&text);
	return r;
}

void maincf_free(struct maincf *m)
{
	htab_free(&m->names, NULL);
	arena_free(&m->mem);
	*m = (struct maincf){0};
}
