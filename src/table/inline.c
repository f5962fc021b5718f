/* inline:{key=value, { key = text with spaces }}: entries in the table's own name. */
#include "base/mem.h"
#include "table/type.h"

#define NEED "; need \"inline:{name=value...}\""

static int add_pair(struct table *t, struct table_mem *m, str word, struct err *err)
{
	struct buf folded = {0};
	str key, value, inner;
	ptrdiff_t eq;

	if (word.p[0] == '{') {
		if (table_braces(word, &inner, err) != 0)
			return err_set(err, "bad syntax: \"%s\"" NEED, t->spec);
		word = inner;
	}
	eq = str_chr(word, '=');
	if (eq < 0)
		return err_set(err, "missing '=' after attribute name: \"%s\"" NEED, t->spec);
	key = str_trim(str_head(word, (size_t)eq));
	value = str_trim(str_from(word, (size_t)eq + 1));
	if (t->flags & TABLE_FOLD) {
		table_fold(&folded, key, t->flags & TABLE_UTF8);
		key = buf_view(&folded);
	}
	table_mem_put(m, key, value, true);
	buf_free(&folded);
	return 0;
}

static void *load(struct table *t, struct err *err)
{
	str rest, word, name = str_of(t->name);
	struct table_mem *m;

	if (name.n < 3 || table_braces(name, &rest, NULL) != 0) {
		err_set(err, "bad syntax: \"%s\"" NEED, t->spec);
		return NULL;
	}
	m = mem_zero(sizeof(*m));
	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		if (add_pair(t, m, word, err) != 0) {
			table_mem_free(m);
			return NULL;
		}
	}
	if (m->tab.count == 0) {
		table_mem_free(m);
		err_set(err, "empty table: \"%s\"" NEED, t->spec);
		return NULL;
	}
	return m;
}

const struct table_type table_type_inline = {
    .name = "inline",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = table_mem_free,
    .get = table_mem_get,
    .next = table_mem_next,
};
