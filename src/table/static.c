/* static:text or static:{ text with spaces }: one answer to every question. */
#include "base/mem.h"
#include "table/type.h"
#include <stdlib.h>

static void *load(struct table *t, struct err *err)
{
	str name = str_of(t->name), inner;

	if (name.p[0] != '{')
		return str_dup(name);
	if (table_braces(name, &inner, err) != 0) {
		err_prefix(err, "bad static:name syntax");
		return NULL;
	}
	return str_dup(inner);
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	(void)key, (void)err;
	buf_cstr(value, t->impl);
	return TABLE_FOUND;
}

const struct table_type table_type_static = {
    .name = "static",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = free,
    .get = get,
};
