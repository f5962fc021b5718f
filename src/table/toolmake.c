/* postmap and postalias: building tables. */
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "param/param.h"
#include "table/tool.h"
#include "table/type.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX (16 * 1024 * 1024) /* of what -F reads into a value */

struct job {
	struct tool *t;
	const char *spec; /* as duplicate warnings name it */
	struct make *m;
};

/* Becomes the owner of a file for what follows, so that nobody's table makes root write somewhere.
 */
static void become_owner(const struct tool *t, const struct stat *st)
{
	if (t->keep_root || geteuid() != 0 || st->st_uid == 0)
		return;
	if (setgroups(0, NULL) != 0 || setegid(st->st_gid) != 0 || seteuid(st->st_uid) != 0)
		log_fatal("cannot become user %lu: %s", (unsigned long)st->st_uid, strerror(errno));
}

static void become_self(void)
{
	if (getuid() == 0 && geteuid() != 0 && (seteuid(0) != 0 || setegid(getgid()) != 0))
		log_fatal("cannot become root again: %s", strerror(errno));
}

/* The files named by a value, one after the other with a newline between them. False: warned. */
static bool read_files(const struct textfile *tf, str names, struct buf *out)
{
	struct buf all = {0};
	struct err err = {0};
	bool good = true;
	size_t n = 0;
	str name;

	while (good && str_word(&names, ", \t\r\n", &name)) {
		char *path = str_dup(name);

		if (n++)
			buf_char(&all, '\n');
		good = file_read(path, FILE_MAX, &all, &err) == 0;
		free(path);
	}
	if (good)
		tool_base64_encode(out, buf_view(&all));
	else
		tool_warn(tf, "%s -- ignoring this line", err.text);
	buf_free(&all);
	return good;
}

static void store(struct job *j, const struct textfile *tf, str key, str value)
{
	struct err err = {0};

	switch (make_put(j->m, key, value, j->t->replace, &err)) {
	case 0:
		break;
	case 1:
		if (!j->t->ignore_duplicates)
			log_warn("%s: duplicate entry: \"%.*s\" (%s, line %d)", j->spec,
			    STR_FMT(str_head(key, 200)), tf->name, tf->line);
		break;
	case 2:
		tool_warn(tf,
		    "a key of %zu bytes cannot be stored in this type of table -- "
		    "ignoring this line",
		    key.n);
		break;
	default:
		make_end(j->m, false, NULL);
		log_fatal("%s", err.text);
	}
}

static void add_line(struct job *j, const struct textfile *tf, str line)
{
	struct buf key = {0}, value = {0}, folded = {0}, content = {0};
	bool utf8 = conf.smtputf8_enable && !j->t->no_utf8;
	bool good;

	if (utf8 && !table_utf8_valid(line)) {
		struct buf shown = {0};

		table_show_bytes(&shown, line);
		tool_warn(tf, "non-UTF-8 input \"%s\" -- ignoring this line", buf_text(&shown));
		buf_free(&shown);
		return;
	}
	good = j->t->parse(j->t, tf, line, &key, &value);
	if (good && j->t->files)
		good = read_files(tf, buf_view(&value), &content);
	if (good) {
		if (!j->t->no_fold)
			table_fold(&folded, buf_view(&key), utf8);
		store(j, tf, j->t->no_fold ? buf_view(&key) : buf_view(&folded),
		    j->t->files ? buf_view(&content) : buf_view(&value));
	}
	buf_free(&key);
	buf_free(&value);
	buf_free(&folded);
	buf_free(&content);
}

/* How messages about entries call the table: lmdb:name, name.db, name. */
static char *shown_name(str type, str name)
{
	struct buf b = {0};

	if (str_eq(type, STR("lmdb")))
		buf_cstr(&b, "lmdb:");
	buf_str(&b, name);
	if (str_eq(type, STR("hash")) || str_eq(type, STR("btree")))
		buf_cstr(&b, ".db");
	return b.p;
}

static void open_source(struct tool *t, const char *name, struct textfile *tf, struct stat *st)
{
	struct err err = {0};

	if (t->incremental) {
		textfile_stdio(tf, stdin, "stdin");
		return;
	}
	if (textfile_open(tf, name, "", &err) != 0)
		log_fatal("%s", err.text);
	*st = tf->st;
}

void tool_make(struct tool *t, str type, str name)
{
	struct job j = {.t = t};
	struct make_opts o = {.keep = t->incremental, .nul = t->nul, .mode = 0644};
	char *path = make_path(type, name), *source = str_dup(name), *spec = shown_name(type, name);
	struct textfile tf;
	struct stat st = {0};
	struct err err = {0};
	str line;
	int r;

	j.spec = spec;
	open_source(t, source, &tf, &st);
	if (!t->incremental && !t->default_mode)
		o.mode = 0600 | (st.st_mode & 0044);
	if (t->incremental && stat(path, &st) != 0 && stat(source, &st) != 0)
		st = (struct stat){.st_uid = 0};
	become_owner(t, &st);
	j.m = make_begin(type, name, &o, &err);
	if (!j.m)
		log_fatal("%s", err.text);
	while ((r = textfile_next(&tf, &line, &err)) == 1)
		add_line(&j, &tf, line);
	textfile_close(&tf);
	if (r == 0 && t->extra && !t->incremental)
		t->extra(t, j.m, spec);
	if (make_end(j.m, r == 0, r == 0 ? &err : NULL) != 0 || r != 0)
		log_fatal("%s", err.text);
	become_self();
	free(path);
	free(source);
	free(spec);
}

int tool_make_delete(struct tool *t, str type, str name, char **keys, size_t nkeys)
{
	struct make_opts o = {.keep = true, .nul = t->nul, .mode = 0644};
	char *path = make_path(type, name);
	struct err err = {0};
	struct make *m;
	struct stat st;
	int found = 1;

	if (stat(path, &st) != 0)
		log_fatal("open database %s: %s", path, strerror(errno));
	become_owner(t, &st);
	m = make_begin(type, name, &o, &err);
	if (!m)
		log_fatal("%s", err.text);
	for (size_t i = 0; i < nkeys; i++) {
		struct buf folded = {0};
		int r;

		if (!t->no_fold)
			table_fold(&folded, str_of(keys[i]), conf.smtputf8_enable && !t->no_utf8);
		r = make_delete(m, t->no_fold ? str_of(keys[i]) : buf_view(&folded), &err);
		buf_free(&folded);
		if (r < 0) {
			make_end(m, false, NULL);
			log_fatal("%s", err.text);
		}
		if (r == 0)
			found = 0;
	}
	if (make_end(m, true, &err) != 0)
		log_fatal("%s", err.text);
	become_self();
	free(path);
	return found;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tool_base64_encode(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i += 3) {
		size_t n = s.n - i < 3 ? s.n - i : 3;
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
		buf_char(out, digits[v >> 18]);
		buf_char(out, digits[v >> 12 & 63]);
		buf_char(out, n > 1 ? digits[v >> 6 & 63] : '=');
		buf_char(out, n > 2 ? digits[v & 63] : '=');
	}
}

bool tool_base64_decode(struct buf *out, str s)
{
	if (s.n % 4 != 0)
		return false;
	for (size_t i = 0; i < s.n; i += 4) {
		size_t n = i + 4 == s.n ? (s.p[i + 2] == '=' ? 2 : s.p[i + 3] == '=' ? 3 : 4) : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			const char *at = k < n ? strchr(digits, s.p[i + k]) : digits;

			if (!at || (k < n && !s.p[i + k]) || (k >= n && s.p[i + k] != '='))
				return false;
			v = v << 6 | (uint32_t)(at - digits);
		}
		buf_char(out, (char)(v >> 16));
		if (n > 2)
			buf_char(out, (char)(v >> 8));
		if (n > 3)
			buf_char(out, (char)v);
	}
	return true;
}
