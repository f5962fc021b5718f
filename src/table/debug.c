/* debug:type:name: what the table behind it is asked and answers, in the log. */
#include "log/log.h"
#include "table/type.h"

static void *load(struct table *t, struct err *err)
{
	struct table *inner = table_open(str_of(t->name), t->flags, err);

	if (inner)
		t->traits = inner->traits & ~(unsigned)TRAIT_FOLD;
	else if (err)
		err->code = 0;
	return inner;
}

static void unload(void *impl)
{
	(void)impl;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	enum table_result r = table_get(t->impl, key, value, err);

	if (r == TABLE_FOUND)
		log_info("%s lookup: \"%.*s\" = \"%s\"", t->spec, STR_FMT(key), buf_text(value));
	else
		log_info("%s lookup: \"%.*s\" = %s", t->spec, STR_FMT(key),
		    r == TABLE_NONE ? "\"not found\"" : "error");
	return r;
}

static int put(struct table *t, str key, str value, struct err *err)
{
	int r = table_put(t->impl, key, value, err);

	log_info(
	    "%s update: \"%.*s\" = \"%.*s\" status %d", t->spec, STR_FMT(key), STR_FMT(value), r);
	return r;
}

static int del(struct table *t, str key, struct err *err)
{
	int r = table_delete(t->impl, key, err);

	log_info("%s delete: \"%.*s\" status %d", t->spec, STR_FMT(key), r);
	return r;
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	enum table_result r = table_next(t->impl, first, key, value, err);

	log_info("%s sequence: \"%s\" = \"%s\"", t->spec, buf_text(key), buf_text(value));
	return r;
}

const struct table_type table_type_debug = {
    .name = "debug",
    .load = load,
    .unload = unload,
    .get = get,
    .put = put,
    .del = del,
    .next = next,
};
