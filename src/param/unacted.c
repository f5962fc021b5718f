/* What somebody set in vain. */
#include "param/conf.h"
#include "param/mastercf.h"
#include "param/param.h"
#include "param/table.h"
#include <stdlib.h>

struct told {
	void (*warn)(const char *text);
	struct htab names;
};

static bool is_default(const struct param_row *row, const char *raw)
{
	struct buf a = {0}, b = {0};
	bool same = false;

	if (row->def && strcmp(row->def, raw) == 0)
		return true;
	if (row->def && param_expand(&conf_scope, &a, str_of(row->def), NULL) == 0 &&
	    param_expand(&conf_scope, &b, str_of(raw), NULL) == 0)
		same = str_eq_nocase(buf_view(&a), buf_view(&b));
	buf_free(&a);
	buf_free(&b);
	return same;
}

static void tell(struct told *t, str name, const char *raw, const char *file, int line)
{
	const struct param_row *row = param_find(name);
	struct buf b = {0};

	if (!row || !row->idle || is_default(row, raw) || htab_get(&t->names, name))
		return;
	htab_set(&t->names, name, t);
	buf_printf(
	    &b, "%s/%s, line %d: parameter %s is set, but ", conf_dir(), file, line, row->name);
	if (*row->idle)
		buf_printf(&b, "has no effect here: %s", row->idle);
	else
		buf_cstr(&b, "is not acted on yet");
	t->warn(buf_text(&b));
	buf_free(&b);
}

static int by_line(const void *a, const void *b)
{
	const struct maincf_entry *x = (*(struct htab_entry *const *)a)->value;
	const struct maincf_entry *y = (*(struct htab_entry *const *)b)->value;

	return (x->line > y->line) - (x->line < y->line);
}

static void tell_main(struct told *t)
{
	struct htab_entry **v = calloc(conf_main.names.count + 1, sizeof(struct htab_entry *));
	size_t n = 0;

	if (!v)
		return;
	HTAB_FOREACH (e, &conf_main.names) {
		v[n++] = e;
	}
	qsort(v, n, sizeof(struct htab_entry *), by_line);
	for (size_t i = 0; i < n; i++) {
		const struct maincf_entry *set = v[i]->value;

		if (set->line)
			tell(t, str_mem(v[i]->key, v[i]->n), set->value, "main.cf", set->line);
	}
	free(v);
}

static void tell_master(struct told *t)
{
	struct mastercf m = {0};

	if (mastercf_load(&m, NULL) != 0)
		return; /* master says what is wrong with it */
	for (size_t i = 0; i < m.n; i++) {
		for (size_t j = 0; j + 1 < m.v[i].nargs && m.v[i].args[j][0] == '-'; j++) {
			str word = str_of(m.v[i].args[j + 1]);
			ptrdiff_t eq = str_chr(word, '=');

			if (strcmp(m.v[i].args[j], "-o") != 0 || eq < 0)
				continue;
			tell(t, str_trim(str_head(word, (size_t)eq)), word.p + eq + 1, "master.cf",
			    m.v[i].line);
			j++;
		}
	}
	mastercf_free(&m);
}

void conf_warn_unacted(void (*warn)(const char *text))
{
	struct told t = {.warn = warn};

	tell_main(&t);
	tell_master(&t);
	htab_free(&t.names, NULL);
}
