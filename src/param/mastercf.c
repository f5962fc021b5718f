#include "param/mastercf.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "param/conffile.h"
#include "param/param.h"
#include <limits.h>
#include <stdlib.h>

#define WHITE CONFFILE_WHITE

const char *const service_type_names[] = {
    [SERVICE_INET] = "inet",
    [SERVICE_UNIX] = "unix",
    [SERVICE_FIFO] = "fifo",
    [SERVICE_PASS] = "pass",
    [SERVICE_DGRAM] = "unix-dgram",
    NULL,
};

int service_type_of(const char *name)
{
	for (int i = 0; service_type_names[i]; i++)
		if (strcmp(service_type_names[i], name) == 0)
			return i;
	return -1;
}

static int bad_field(const char *field, str word, struct err *err)
{
	return err_set(err, "invalid %s field \"%.*s\"", field, STR_FMT(str_head(word, 100)));
}

static int parse_flag(const char *field, str word, bool fallback, bool *out, struct err *err)
{
	if (str_eq(word, STR("-")))
		*out = fallback;
	else if (str_eq(word, STR("y")) || str_eq(word, STR("n")))
		*out = word.p[0] == 'y';
	else
		return bad_field(field, word, err);
	return 0;
}

static int parse_count(const char *field, str word, int fallback, int *out, struct err *err)
{
	uint64_t n;

	*out = fallback;
	if (str_eq(word, STR("-")))
		return 0;
	if (!str_to_u64(word, &n) || n > INT_MAX)
		return bad_field(field, word, err);
	*out = (int)n;
	return 0;
}

/* Columns two to seven. */
static int parse_columns(struct mastercf_service *s, str *rest, struct err *err)
{
	str w[6];
	char type[16] = "";
	int t;

	for (int i = 0; i < 6; i++)
		if (!str_word(rest, WHITE, &w[i]))
			return err_set(err, "bad field count");
	memcpy(type, w[0].p, w[0].n < sizeof(type) - 1 ? w[0].n : sizeof(type) - 1);
	t = service_type_of(type);
	if (t < 0)
		return bad_field("type", w[0], err);
	s->type = (enum service_type)t;
	if (parse_flag("private", w[1], s->type != SERVICE_INET, &s->is_private, err) != 0 ||
	    parse_flag("unprivileged", w[2], true, &s->unpriv, err) != 0 ||
	    parse_flag("chroot", w[3], false, &s->chroot, err) != 0)
		return -1;
	if (s->type == SERVICE_INET && s->is_private)
		return err_set(err, "an inet service cannot be private");
	s->wakeup_if_used = str_ends(w[4], STR("?"));
	if (parse_count("wakeup", str_head(w[4], w[4].n - s->wakeup_if_used), 0, &s->wakeup, err) !=
	    0)
		return -1;
	return parse_count("process_limit", w[5], -1, &s->maxproc, err);
}

/* One argument: { text } is opened; behind -o it is an assignment, from which blanks around = go.
 */
static int add_arg(struct mastercf_service *s, str word, struct err *err)
{
	bool option = s->nargs && strcmp(s->args[s->nargs - 1], "-o") == 0;
	struct buf b = {0};

	if (word.n && word.p[0] == '{') {
		str inner, name, value;

		if (conffile_braces(word, &inner, err) != 0)
			return -1;
		if (option) {
			if (conffile_assignment(inner, &name, &value, err) != 0)
				return -1;
			buf_printf(&b, "%.*s=%.*s", STR_FMT(name), STR_FMT(value));
			word = buf_view(&b);
		} else {
			word = inner;
		}
	}
	s->args = mem_realloc(s->args, (s->nargs + 2) * sizeof(char *));
	s->args[s->nargs++] = str_dup(word);
	s->args[s->nargs] = NULL;
	buf_free(&b);
	return 0;
}

static int parse_service(struct mastercf_service *s, str line, struct err *err)
{
	str word;

	if (!str_word(&line, WHITE, &word))
		return err_set(err, "bad field count");
	s->name = str_dup(word);
	if (parse_columns(s, &line, err) != 0)
		return -1;
	if (!str_word(&line, WHITE, &word))
		return err_set(err, "bad field count");
	s->command = str_dup(word);
	s->args = mem_zero(sizeof(char *));
	while (conffile_word(&line, &word))
		if (add_arg(s, word, err) != 0)
			return -1;
	return 0;
}

static void service_free(struct mastercf_service *s)
{
	for (size_t i = 0; i < s->nargs; i++)
		free(s->args[i]);
	free(s->args);
	free(s->name);
	free(s->command);
	*s = (struct mastercf_service){0};
}

static void add_service(struct mastercf *m, struct mastercf_service *s)
{
	struct mastercf_service *old =
	    (struct mastercf_service *)mastercf_find(m, s->name, s->type);

	if (old) {
		service_free(old);
		*old = *s;
		old->repeated = true;
		return;
	}
	m->v = mem_realloc(m->v, (m->n + 1) * sizeof(*m->v));
	m->v[m->n++] = *s;
}

int mastercf_parse(struct mastercf *m, const char *path, str text, struct err *err)
{
	struct conffile f = {.rest = text};
	struct buf line = {0};
	int r = 0;

	*m = (struct mastercf){0};
	while (r == 0 && conffile_next(&f, &line)) {
		struct mastercf_service s = {.line = f.first};

		if (line.p[0] == ' ' || line.p[0] == '\t')
			r = err_set(err, "logical line must not start with whitespace");
		else if (memchr(line.p, 0, line.n))
			r = err_set(err, "line has a NUL byte");
		else
			r = parse_service(&s, buf_view(&line), err);
		if (r == 0) {
			add_service(m, &s);
		} else {
			err_prefix(err, "%s: line %d", path, f.first);
			service_free(&s);
		}
	}
	buf_free(&line);
	if (r != 0)
		mastercf_free(m);
	return r;
}

int mastercf_load(struct mastercf *m, struct err *err)
{
	struct buf path = {0}, text = {0};

	*m = (struct mastercf){0};
	buf_printf(&path, "%s/master.cf", conf_dir());
	int r = file_read(buf_text(&path), CONFFILE_LIMIT, &text, err);
	if (r == 0)
		r = mastercf_parse(m, buf_text(&path), buf_view(&text), err);
	buf_free(&path);
	buf_free(&text);
	return r;
}

void mastercf_free(struct mastercf *m)
{
	for (size_t i = 0; i < m->n; i++)
		service_free(&m->v[i]);
	free(m->v);
	*m = (struct mastercf){0};
}

const struct mastercf_service *mastercf_find(
    const struct mastercf *m, const char *name, enum service_type type)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type == type && strcmp(m->v[i].name, name) == 0)
			return &m->v[i];
	return NULL;
}
