/* Ordered lists of tables. */
#include "base/mem.h"
#include "log/log.h"
#include "table/table.h"
#include <stdlib.h>

struct maps {
	char *param;
	struct table **v;
	size_t n;
};

static void add(struct maps *m, struct table *t)
{
	m->v = mem_realloc(m->v, (m->n + 1) * sizeof(*m->v));
	m->v[m->n++] = t;
}

struct maps *maps_open(const char *param, const char *list, unsigned flags)
{
	struct maps *m = mem_zero(sizeof(*m));
	str rest = str_of(list), word;
	struct err err = {0};

	m->param = mem_strdup(param);
	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		struct table *t = table_open(word, flags, &err);

		if (!t)
			log_fatal("%s: %s", param, err.text);
		add(m, t);
	}
	return m;
}

void maps_close(struct maps *m)
{
	if (!m)
		return;
	free(m->param);
	free(m->v);
	free(m);
}

const char *maps_param(const struct maps *m)
{
	return m->param;
}

bool maps_empty(const struct maps *m)
{
	return m->n == 0;
}

size_t maps_count(const struct maps *m)
{
	return m->n;
}

struct table *maps_at(struct maps *m, size_t i)
{
	return m->v[i];
}

static enum table_result search(
    struct maps *m, str key, bool partial, struct buf *value, struct err *err)
{
	buf_clear(value);
	if (key.n == 0)
		return TABLE_NONE;
	for (size_t i = 0; i < m->n; i++) {
		enum table_result r;

		if (partial && !table_partial_keys(m->v[i]))
			continue;
		r = table_get(m->v[i], key, value, err);
		if (r == TABLE_FOUND && value->n == 0) {
			log_warn("%s lookup of %.*s returns an empty string result", m->param,
			    STR_FMT(str_head(key, 200)));
			log_warn(
			    "%s should return NO RESULT in case of NOT FOUND", table_spec(m->v[i]));
			err_set(err, "%s: empty result", table_spec(m->v[i]));
			return TABLE_ERROR;
		}
		if (r == TABLE_ERROR)
			err_prefix(err, "%s lookup error for \"%.*s\"", table_spec(m->v[i]),
			    STR_FMT(str_head(key, 200)));
		if (r != TABLE_NONE)
			return r;
	}
	return TABLE_NONE;
}

enum table_result maps_get(struct maps *m, str key, struct buf *value, struct err *err)
{
	return search(m, key, false, value, err);
}

enum table_result maps_get_partial(struct maps *m, str key, struct buf *value, struct err *err)
{
	return search(m, key, true, value, err);
}
