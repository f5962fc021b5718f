/* Clients of databases: parameters of their own in main.cf, or in files. */
#include "used.h"
#include <ctype.h>
#include <errno.h>
#include <unistd.h>

static const struct database {
	const char *type, *names;
} databases[] = {
#define DATABASE(type, names) {type, names},
#include "database.tbl"
};
enum { DATABASE_COUNT = sizeof(databases) / sizeof(databases[0]) };

/* The next "type:name" in *value of one type; *value goes on behind it. */
static bool next_client(const struct database *d, const char *start, const char **value, str *name)
{
	size_t n = strlen(d->type);

	for (const char *p = *value; (p = strstr(p, d->type)) != NULL; p += n) {
		if (p[n] != ':' || (p > start && (isalnum((unsigned char)p[-1]) || p[-1] == '_')))
			continue;
		*name = str_mem(p + n + 1, strcspn(p + n + 1, " \t\r\n,{}"));
		*value = name->p + name->n;
		if (name->n)
			return true;
	}
	return false;
}

static bool is_file(str name)
{
	return name.p[0] == '/' || name.p[0] == '.';
}

void pc_find_clients(struct htab *to, const char *value)
{
	struct buf b = {0};

	for (size_t i = 0; i < DATABASE_COUNT; i++) {
		const char *at = value;
		str name, word;

		while (next_client(&databases[i], value, &at, &name)) {
			str rest = str_of(databases[i].names);

			while (!is_file(name) && str_word(&rest, " ", &word)) {
				buf_clear(&b);
				buf_printf(&b, "%.*s_%.*s", STR_FMT(name), STR_FMT(word));
				htab_set(to, buf_view(&b), to);
			}
		}
	}
	buf_free(&b);
}

static bool has_name(const struct database *d, str name)
{
	str rest = str_of(d->names), word;

	while (str_word(&rest, " ", &word))
		if (str_eq(word, name))
			return true;
	return false;
}

static void check_file(const struct database *d, const char *path)
{
	struct maincf m = {0};
	struct err err = {0};

	if (access(path, F_OK) != 0) {
		pc_warnf("open \"%s\" configuration \"%s\": %s", d->type, path, strerror(errno));
		return;
	}
	if (maincf_read(&m, path, pc_warn, &err) != 0)
		pc_fatal("%s", err.text);
	HTAB_FOREACH (e, &m.names) {
		if (!has_name(d, str_mem(e->key, e->n)))
			pc_warnf("%s:%s: unused parameter: %s=%s", d->type, path, e->key,
			    ((const struct maincf_entry *)e->value)->value);
	}
	maincf_free(&m);
}

void pc_check_clients(struct htab *seen, const char *value)
{
	struct buf b = {0};

	for (size_t i = 0; i < DATABASE_COUNT; i++) {
		const char *at = value;
		str name;

		while (next_client(&databases[i], value, &at, &name)) {
			buf_clear(&b);
			buf_printf(&b, "%s:%.*s", databases[i].type, STR_FMT(name));
			if (!is_file(name) || htab_find(seen, buf_view(&b)))
				continue;
			htab_set(seen, buf_view(&b), seen);
			check_file(&databases[i], buf_text(&b) + strlen(databases[i].type) + 1);
		}
	}
	buf_free(&b);
}
