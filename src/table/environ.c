/* environ:anything: the process's environment. */
#include "base/mem.h"
#include "table/type.h"
#include <stdlib.h>
#include <unistd.h>

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
	char *name = str_dup(key);
	const char *text = getenv(name);

	(void)t, (void)err;
	free(name);
	if (!text)
		return TABLE_NONE;
	buf_cstr(value, text);
	return TABLE_FOUND;
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	size_t at = 0;
	const char *eq;

	(void)err;
	if (first)
		buf_clear(&t->seq);
	at = t->seq.n;
	if (!environ || !environ[at])
		return TABLE_NONE;
	buf_char(&t->seq, '+');
	eq = strchr(environ[at], '=');
	if (!eq)
		eq = environ[at] + strlen(environ[at]);
	buf_add(key, environ[at], (size_t)(eq - environ[at]));
	if (*eq)
		buf_cstr(value, eq + 1);
	return TABLE_FOUND;
}

const struct table_type table_type_environ = {
    .name = "environ",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = unload,
    .get = get,
    .next = next,
};
