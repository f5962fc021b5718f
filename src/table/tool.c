#include "table/tool.h"
#include "base/mem.h"
#include "log/log.h"
#include "param/param.h"
#include "table/type.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX (1024 * 1024) /* of a key on standard input */

static void warn_text(const char *text)
{
	log_warn("%s", text);
}

void tool_config(struct tool *t, const char *dir)
{
	struct err err = {0};

	if ((dir && conf_set_dir(dir, &err) != 0) || conf_load(warn_text, &err) != 0)
		log_fatal("%s", err.text);
	log_open(t->program, true);
}

void tool_request(struct tool *t, int option, const char *key)
{
	if (t->query || t->delete || t->list)
		log_fatal("specify only one of -s -q or -d");
	if (option == 'q')
		t->query = key;
	else if (option == 'd')
		t->delete = key;
	else
		t->list = true;
}

void tool_duplicates(struct tool *t, int option)
{
	t->replace = option == 'r';
	t->ignore_duplicates = option == 'w';
}

void tool_warn(const struct textfile *tf, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	log_warn("%s, line %d: %s", tf->name, tf->line, buf_text(&b));
	buf_free(&b);
}

static unsigned table_flags(const struct tool *t)
{
	return TABLE_QUIET | (t->no_fold ? 0 : TABLE_FOLD) |
	       (conf.smtputf8_enable && !t->no_utf8 ? TABLE_UTF8 : 0);
}

/* "name" without a type is of default_database_type. */
static void full_spec(const char *arg, struct buf *spec)
{
	if (!strchr(arg, ':'))
		buf_printf(spec, "%s:", conf.default_database_type);
	buf_cstr(spec, arg);
}

static struct table *open_table(const char *spec, unsigned flags)
{
	struct err err = {0};
	struct table *table = table_open(str_of(spec), flags, &err);

	if (!table)
		log_fatal("%s", err.text);
	if (table_unavailable(table))
		log_fatal("%s", table_unavailable(table));
	return table;
}

static void json_string(struct buf *out, str s)
{
	buf_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			buf_printf(out, "\\u%04x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

static void print(struct tool *t, const struct table *table, str key, str value, bool with_key)
{
	struct buf out = {0}, decoded = {0};

	if (t->files) {
		if (!tool_base64_decode(&decoded, value)) {
			log_warn("table %s: key %.*s: malformed BASE64 value: %.*s",
			    table_spec(table), STR_FMT(str_head(key, 200)),
			    STR_FMT(str_head(value, 200)));
			log_fatal("table %s: query error", table_spec(table));
		}
		value = buf_view(&decoded);
	}
	if (t->json) {
		buf_char(&out, '{');
		json_string(&out, key);
		buf_cstr(&out, ": ");
		json_string(&out, value);
		buf_char(&out, '}');
	} else {
		if (with_key) {
			buf_str(&out, key);
			buf_cstr(&out, t->separator);
		}
		buf_str(&out, value);
	}
	buf_char(&out, '\n');
	fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
	buf_free(&decoded);
}

bool tool_show_found(struct tool *t, struct table **v, size_t n, str key, bool with_key)
{
	struct buf value = {0};
	enum table_result r = TABLE_NONE;

	for (size_t i = 0; i < n && r == TABLE_NONE; i++) {
		struct err err = {0};

		r = table_get(v[i], key, &value, &err);
		if (r == TABLE_ERROR)
			log_fatal("%s", err.text);
		if (r != TABLE_FOUND)
			continue;
		if (value.n == 0) {
			log_warn("table %s: key %.*s: empty string result is not allowed",
			    table_spec(v[i]), STR_FMT(str_head(key, 200)));
			log_warn("table %s should return NO RESULT in case of NOT FOUND",
			    table_spec(v[i]));
		}
		print(t, v[i], key, buf_view(&value), with_key);
		t->found++;
	}
	buf_free(&value);
	return r == TABLE_FOUND;
}

/* Calls fn for each line of standard input that is not empty. */
static void each_line(void (*fn)(void *ctx, str line), void *ctx)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		if (n > KEY_MAX)
			log_fatal("stdin: key longer than %d bytes", KEY_MAX);
		if (n > 0)
			fn(ctx, str_mem(line, (size_t)n));
	}
	free(line);
}

struct query {
	struct tool *t;
	struct table **v;
	size_t n;
};

static void query_line(void *ctx, str line)
{
	struct query *q = ctx;

	tool_show_found(q->t, q->v, q->n, line, true);
}

static int query(struct tool *t, char **args, size_t n)
{
	struct query q = {t, mem_zero(n * sizeof(struct table *)), n};

	for (size_t i = 0; i < n; i++) {
		struct buf spec = {0};

		full_spec(args[i], &spec);
		q.v[i] = open_table(buf_text(&spec), table_flags(t));
		buf_free(&spec);
	}
	if (strcmp(t->query, "-") != 0)
		tool_show_found(t, q.v, n, str_of(t->query), false);
	else if (t->keys)
		t->keys(t, q.v, n);
	else
		each_line(query_line, &q);
	free(q.v);
	return t->found ? 0 : 1;
}

static void list(struct tool *t, const char *arg)
{
	struct buf spec = {0}, key = {0}, value = {0};
	struct err err = {0};
	enum table_result r;
	struct table *table;
	bool first = true;

	full_spec(arg, &spec);
	if (str_starts(buf_view(&spec), STR("proxy:")))
		log_fatal("can't sequence maps via the proxy service");
	table = open_table(buf_text(&spec), table_flags(t));
	while ((r = table_next(table, first, &key, &value, &err)) == TABLE_FOUND) {
		first = false;
		if (key.n == 0)
			log_warn(
			    "table %s: empty lookup key value is not allowed", table_spec(table));
		else if (value.n == 0)
			log_warn("table %s: key %s: empty string value is not allowed",
			    table_spec(table), buf_text(&key));
		print(t, table, buf_view(&key), buf_view(&value), true);
	}
	if (r == TABLE_ERROR)
		log_fatal("%s", err.text);
	buf_free(&spec);
	buf_free(&key);
	buf_free(&value);
}

struct keys {
	char **v;
	size_t n;
};

static void add_key(void *ctx, str line)
{
	struct keys *k = ctx;

	k->v = mem_realloc(k->v, (k->n + 1) * sizeof(*k->v));
	k->v[k->n++] = str_dup(line);
}

/* True when one of the keys was there. */
static bool delete_from(struct tool *t, const char *arg, const struct keys *k)
{
	struct buf spec = {0};
	struct err err = {0};
	struct table *table;
	bool found = false;
	str type, name;

	full_spec(arg, &spec);
	if (table_spec_split(buf_view(&spec), &type, &name, &err) != 0)
		log_fatal("%s", err.text);
	if (make_supported(type)) {
		found = tool_make_delete(t, type, name, k->v, k->n) == 0;
	} else {
		const struct table_type *row = table_type_find(type);

		if (row && !row->del)
			log_fatal("%s map requires O_RDONLY access mode", buf_text(&spec));
		table = open_table(buf_text(&spec), table_flags(t) | TABLE_WRITE);
		for (size_t i = 0; i < k->n; i++) {
			int r = table_delete(table, str_of(k->v[i]), &err);

			if (r < 0)
				log_fatal("%s", err.text);
			found |= r == 0;
		}
	}
	buf_free(&spec);
	return found;
}

static int delete (struct tool *t, char **args, size_t n)
{
	struct keys k = {0};
	bool found = false;

	if (strcmp(t->delete, "-") == 0)
		each_line(add_key, &k);
	else
		add_key(&k, str_of(t->delete));
	for (size_t i = 0; i < n; i++)
		found |= delete_from(t, args[i], &k);
	for (size_t i = 0; i < k.n; i++)
		free(k.v[i]);
	free(k.v);
	return found ? 0 : 1;
}

static void make(struct tool *t, const char *arg)
{
	struct buf spec = {0};
	struct err err = {0};
	str type, name;

	full_spec(arg, &spec);
	if (table_spec_split(buf_view(&spec), &type, &name, &err) != 0)
		log_fatal("%s", err.text);
	if (!table_type_find(type))
		log_fatal("unsupported dictionary type: %.*s", STR_FMT(type));
	if (str_eq(type, STR("proxy")))
		log_fatal("can't create maps via the proxy service");
	if (!make_supported(type))
		log_fatal("unsupported dictionary type: %.*s does not support bulk-mode creation.",
		    STR_FMT(type));
	tool_make(t, type, name);
	buf_free(&spec);
}

int tool_run(struct tool *t, char **args, int nargs)
{
	int r = 0;

	if (nargs < 1)
		log_fatal("usage: %s %s", t->program, t->usage);
	if (t->query)
		r = query(t, args, (size_t)nargs);
	else if (t->delete)
		r = delete (t, args, (size_t)nargs);
	else
		for (int i = 0; i < nargs; i++)
			t->list ? list(t, args[i]) : make(t, args[i]);
	if (fflush(stdout) != 0)
		log_fatal("write error: %s", strerror(errno));
	return r;
}
