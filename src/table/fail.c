/* fail:name: every look-up fails, for tests of what happens then. */
#include "table/type.h"

static void *load(struct table *t, struct err *err)
{
	(void)err;
	return t;
}

static void unload(void *impl)
{
	(void)impl;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	(void)t, (void)key, (void)value;
	err_set(err, "Application error");
	return TABLE_ERROR;
}

static int put(struct table *t, str key, str value, struct err *err)
{
	(void)key, (void)value;
	return err_set(err, "table %s: update error: Application error", t->spec);
}

static int del(struct table *t, str key, struct err *err)
{
	(void)key;
	return err_set(err, "table %s: delete error: Application error", t->spec);
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	(void)first, (void)key, (void)value;
	err_set(err, "table %s: sequence error: Application error", t->spec);
	return TABLE_ERROR;
}

const struct table_type table_type_fail = {
    .name = "fail",
    .traits = TRAIT_PARTIAL,
    .load = load,
    .unload = unload,
    .get = get,
    .put = put,
    .del = del,
    .next = next,
};
