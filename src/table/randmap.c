/* randmap:{a, b, c}: any of them. */
#include "base/mem.h"
#include "table/type.h"
#include <stdlib.h>

struct randmap {
	str *v; /* into the table's name */
	size_t n;
};

static void unload(void *impl)
{
	struct randmap *r = impl;

	free(r->v);
	free(r);
}

static void *load(struct table *t, struct err *err)
{
	str rest, word;
	struct randmap *r;

	if (strlen(t->name) < 3 || table_braces(str_of(t->name), &rest, NULL) != 0 || rest.n == 0) {
		err_set(err, "bad syntax: \"%s\"; need \"randmap:{value...}\"", t->spec);
		return NULL;
	}
	r = mem_zero(sizeof(*r));
	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		if (word.p[0] == '{' && table_braces(word, &word, err) != 0) {
			unload(r);
			return NULL;
		}
		r->v = mem_realloc(r->v, (r->n + 1) * sizeof(*r->v));
		r->v[r->n++] = word;
	}
	if (r->n == 0) {
		unload(r);
		err_set(err, "empty table: \"%s\"", t->spec);
		return NULL;
	}
	return r;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	const struct randmap *r = t->impl;

	(void)key, (void)err;
	buf_str(value, r->v[arc4random_uniform((uint32_t)r->n)]);
	return TABLE_FOUND;
}

const struct table_type table_type_randmap = {
    .name = "randmap",
    .traits = TRAIT_PARTIAL,
    .load = load,
    .unload = unload,
    .get = get,
};
