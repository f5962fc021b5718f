/* Warnings about names that mean nothing. */
#include "base/mem.h"
#include "used.h"
#include <stdlib.h>

static struct htab told; /* undefined names that were warned of */

static bool has_option(const struct pc_service *s, str wanted)
{
	const char *value;
	str name;

	for (size_t i = 0; i < s->noptions; i++)
		if (pc_option_split(&s->args[i], &name, &value) && str_eq(name, wanted))
			return true;
	return false;
}

/* Which file, and which service in it, has the reference. */
struct place {
	const char *path;
	const struct pc_service *service; /* NULL: main.cf */
};

static bool is_defined(const struct place *p, str name)
{
	if (pc_name_find(name) || maincf_get(&pc_main, name))
		return true;
	if (p->service)
		return has_option(p->service, name);
	for (size_t i = 0; i < pc_master.n; i++)
		if (has_option(&pc_master.v[i], name))
			return true;
	return false;
}

static const char *look_undefined(void *ctx, str name)
{
	const struct place *p = ctx;

	if (!is_defined(p, name) && !htab_find(&told, name)) {
		htab_set(&told, name, NULL);
		pc_warnf("%s: undefined parameter: %.*s", p->path, STR_FMT(name));
	}
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct htab_entry *const *)a)->key, (*(struct htab_entry *const *)b)->key);
}

/* The entries of main.cf in alphabetical order; the caller frees the array. */
static struct htab_entry **main_entries(size_t *n)
{
	struct htab_entry **v = mem_zero((pc_main.names.count + 1) * sizeof(struct htab_entry *));

	*n = 0;
	HTAB_FOREACH (e, &pc_main.names) {
		v[(*n)++] = e;
	}
	qsort(v, *n, sizeof(struct htab_entry *), by_name);
	return v;
}

static const char *value_of(const struct htab_entry *e)
{
	return ((const struct maincf_entry *)e->value)->value;
}

/* "value #text": the administrator meant a comment, we see a value. */
static void check_comment(const char *value)
{
	str rest = str_of(value), word;
	bool first = true;

	for (; str_word(&rest, " \t\r\n", &word); first = false) {
		if (first || word.p[0] != '#')
			continue;
		pc_warnf("%s: #comment after other text is not allowed: %.*s %.*s...", pc_main_path,
		    STR_FMT(str_head(word, 100)), STR_FMT(str_head(str_trim(rest), 20)));
		return;
	}
}

static void check_options_before(const struct pc_service *s)
{
	struct place p = {pc_master_path, s};
	const char *value;
	str name;

	for (size_t i = 0; i < s->noptions; i++)
		if (pc_option_split(&s->args[i], &name, &value))
			pc_scan(name, str_of(value), look_undefined, &p);
}

void pc_check_before(void)
{
	struct place p = {pc_main_path, NULL};
	size_t n;
	struct htab_entry **v = main_entries(&n);

	for (size_t i = 0; i < n; i++) {
		str name = str_mem(v[i]->key, v[i]->n);

		if (str_eq(name, STR("process_id")) || str_eq(name, STR("process_name"))) {
			pc_warnf("%s: read-only parameter assignment: %s=%s", pc_main_path,
			    v[i]->key, value_of(v[i]));
			continue;
		}
		if (pc_is_raw(name))
			continue;
		pc_scan(name, str_of(value_of(v[i])), look_undefined, &p);
		check_comment(value_of(v[i]));
	}
	free(v);
	htab_free(&told, NULL);
	for (size_t i = 0; i < pc_master.n; i++)
		check_options_before(&pc_master.v[i]);
	htab_free(&told, NULL);
}

static void warn_unused(const char *path, str name, const char *value)
{
	struct buf b = {0};

	pc_squeeze(&b, str_of(value));
	pc_warnf("%s: unused parameter: %.*s=%s", path, STR_FMT(name), buf_text(&b));
	buf_free(&b);
}

static void warn_deprecated(const char *path, str name)
{
	for (size_t i = 0; i < param_deprecated_count; i++) {
		const struct param_legacy *d = &param_deprecated[i];

		if (!str_eq(name, str_of(d->name)))
			continue;
		if (*d->successor)
			pc_warnf("%s: support for parameter \"%s\" will be removed; instead, "
				 "specify \"%s\"",
			    path, d->name, d->successor);
		else
			pc_warnf("%s: support for parameter \"%s\" will be removed; instead, do "
				 "not specify "
				 "(leave at default)",
			    path, d->name);
	}
}

static bool is_builtin(str name)
{
	const struct pc_name *n = pc_name_find(name);

	return n && n->class != PC_USER;
}

static void check_options_after(const struct pc_service *s)
{
	struct htab own = {0};
	const char *value;
	str name;

	pc_refer_options(&own, s);
	pc_find_option_clients(&own, s);
	for (size_t i = 0; i < s->noptions; i++) {
		if (!pc_option_split(&s->args[i], &name, &value))
			continue;
		if (!is_builtin(name) && !pc_is_referenced(name) && !htab_find(&own, name))
			warn_unused(pc_master_path, name, value);
		warn_deprecated(pc_master_path, name);
	}
	htab_free(&own, NULL);
}

/* The files of database clients that parameters in use name. */
static void check_clients(void)
{
	struct htab seen = {0};
	const char *value;
	str name;

	HTAB_FOREACH (e, &pc_main.names) {
		if (pc_name_find(str_mem(e->key, e->n)))
			pc_check_clients(&seen, value_of(e));
	}
	for (size_t i = 0; i < pc_master.n; i++)
		for (size_t k = 0; k < pc_master.v[i].noptions; k++)
			if (pc_option_split(&pc_master.v[i].args[k], &name, &value))
				pc_check_clients(&seen, value);
	htab_free(&seen, NULL);
}

void pc_check_after(bool parameters)
{
	size_t n;
	struct htab_entry **v = main_entries(&n);

	for (size_t i = 0; i < n && parameters; i++) {
		str name = str_mem(v[i]->key, v[i]->n);

		if (!pc_name_find(name))
			warn_unused(pc_main_path, name, value_of(v[i]));
		warn_deprecated(pc_main_path, name);
	}
	free(v);
	for (size_t i = 0; i < pc_master.n; i++)
		check_options_after(&pc_master.v[i]);
	check_clients();
}
