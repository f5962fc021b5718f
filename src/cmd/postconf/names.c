/* Which parameters there are, and what main.cf says of them. */
#include "base/file.h"
#include "base/mem.h"
#include "param/conf.h"
#include "param/conffile.h"
#include "param/param.h"
#include "pc.h"
#include "used.h"
#include <stdio.h>
#include <stdlib.h>

struct maincf pc_main;
struct pc_master pc_master;
struct pc_name *pc_names;
size_t pc_names_count;
bool pc_dir_given;
char *pc_master_path, *pc_main_path;

static const char *raw_value(void *ctx, str name)
{
	const struct maincf_entry *e = maincf_get(ctx, name);

	if (e)
		return e->value;
	const struct pc_name *n = pc_name_find(name);
	return n && n->class == PC_SERVICE ? n->def : NULL;
}

struct param_scope pc_scope = {.raw = raw_value, .ctx = &pc_main};

static char *path_of(const char *file)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s", conf_dir(), file);
	return b.p;
}

static void load_master(void)
{
	struct buf text = {0}, line = {0};
	struct err err = {0};

	if (file_read(pc_master_path, CONFFILE_LIMIT, &text, &err) != 0) {
		if (pc_mode & (PC_MASTER | PC_FIELDS | PC_PARAMS))
			pc_fatal("%s", err.text);
		pc_warn(err.text);
		return;
	}
	struct conffile f = {.rest = buf_view(&text)};
	while (conffile_next(&f, &line)) {
		struct pc_service s = {.line = f.first};

		if (line.p[0] == ' ' || line.p[0] == '\t') {
			pc_warnf("%s: logical line must not start with whitespace: \"%.*s\"",
			    pc_master_path, STR_FMT(str_head(buf_view(&line), 100)));
			continue;
		}
		if (pc_service_parse(&s, &pc_master.mem, buf_view(&line), &err) != 0) {
			if (strcmp(err.text, "bad field count") == 0)
				pc_fatal(
				    "file %s: line %d: bad field count", pc_master_path, f.first);
			pc_fatal(
			    "%s in \"%.*s\"", err.text, STR_FMT(str_head(buf_view(&line), 500)));
		}
		pc_master.v = mem_realloc(pc_master.v, (pc_master.n + 1) * sizeof(s));
		pc_master.v[pc_master.n++] = s;
	}
	buf_free(&line);
	buf_free(&text);
}

void pc_load(bool with_main)
{
	struct err err = {0};

	pc_main_path = path_of("main.cf");
	pc_master_path = path_of("master.cf");
	load_master();
	if (!with_main)
		return;
	pc_dir_given = pc_dir_given || getenv("MAIL_CONFIG") != NULL;
	pc_scope.dir = conf_dir();
	if (maincf_read(&pc_main, pc_main_path, pc_warn, &err) != 0)
		pc_fatal("%s", err.text);
	conf_overrides(&pc_main);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct pc_name *)a)->name, ((const struct pc_name *)b)->name);
}

static int compare_key(const void *key, const void *row)
{
	return str_cmp(*(const str *)key, str_of(((const struct pc_name *)row)->name));
}

const struct pc_name *pc_name_find(str name)
{
	return bsearch(&name, pc_names, pc_names_count, sizeof(*pc_names), compare_key);
}

static void add(const char *name, enum pc_class class, const char *def)
{
	pc_names = mem_realloc(pc_names, (pc_names_count + 1) * sizeof(*pc_names));
	pc_names[pc_names_count++] = (struct pc_name){name, class, def};
}

static void sort(void)
{
	size_t n = 0;

	qsort(pc_names, pc_names_count, sizeof(*pc_names), compare);
	for (size_t i = 0; i < pc_names_count; i++)
		if (!n || strcmp(pc_names[n - 1].name, pc_names[i].name) != 0)
			pc_names[n++] = pc_names[i];
	pc_names_count = n;
}

static void add_service(const struct pc_service *s)
{
	struct buf b = {0};

	for (size_t i = 0; i < param_suffix_count; i++) {
		if (!param_suffix_applies(&param_suffixes[i], s->field[PC_FIELD_COMMAND]))
			continue;
		buf_clear(&b);
		buf_printf(&b, "%s%s", s->field[0], param_suffixes[i].suffix);
		if (!param_find(buf_view(&b)))
			add(arena_cstr(&pc_main.mem, buf_view(&b)), PC_SERVICE,
			    param_suffixes[i].def);
	}
	buf_free(&b);
}

static bool has_local(void)
{
	for (size_t i = 0; i < pc_master.n; i++)
		if (strcmp(pc_master.v[i].field[0], "local") == 0)
			return true;
	return false;
}

/* Those of the transport "local" have defaults of their own, and so are rows like any other. */
static enum pc_class class_of(const char *name)
{
	for (size_t i = 0; i < param_suffix_count && strncmp(name, "local_", 6) == 0; i++)
		if (strcmp(name + 5, param_suffixes[i].suffix) == 0 && has_local())
			return PC_SERVICE;
	return PC_BUILTIN;
}

static struct pc_name *users;
static size_t users_count;

/* Not into pc_names at once: it is searched meanwhile, and so must stay sorted. */
static void add_user(const char *name)
{
	if (pc_name_find(str_of(name)))
		return;
	users = mem_realloc(users, (users_count + 1) * sizeof(*users));
	users[users_count++] = (struct pc_name){name, PC_USER, NULL};
}

void pc_names_collect(void)
{
	for (size_t i = 0; i < param_count; i++)
		add(param_rows[i].name, class_of(param_rows[i].name), NULL);
	for (size_t i = 0; i < pc_master.n; i++)
		add_service(&pc_master.v[i]);
	sort();
	pc_collect_users(add_user);
	for (size_t i = 0; i < users_count; i++)
		add(users[i].name, PC_USER, NULL);
	free(users);
	sort();
}
