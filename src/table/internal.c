/* internal:name: entries that end with the process. */
#include "base/mem.h"
#include "table/type.h"

static void *load(struct table *t, struct err *err)
{
	(void)t, (void)err;
	return mem_zero(sizeof(struct table_mem));
}

static int put(struct table *t, str key, str value, struct err *err)
{
	(void)err;
	table_mem_put(t->impl, key, value, true);
	return 0;
}

static int del(struct table *t, str key, struct err *err)
{
	(void)err;
	return table_mem_del(t->impl, key) ? 0 : 1;
}

const struct table_type table_type_internal = {
    .name = "internal",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = table_mem_free,
    .get = table_mem_get,
    .put = put,
    .del = del,
    .next = table_mem_next,
};
