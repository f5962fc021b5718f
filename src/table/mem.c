/* Entries in memory. */
#include "base/mem.h"
#include "table/type.h"
#include <stdlib.h>

bool table_mem_put(struct table_mem *m, str key, str value, bool replace)
{
	struct htab_entry *old = htab_find(&m->tab, key);
	struct table_entry *e;

	if (old && !replace)
		return false;
	e = mem_alloc(sizeof(*e) + value.n);
	e->n = value.n;
	if (value.n)
		memcpy(e->value, value.p, value.n);
	if (old) {
		free(old->value);
		old->value = e;
	} else {
		htab_set(&m->tab, key, e);
	}
	return old == NULL;
}

bool table_mem_del(struct table_mem *m, str key)
{
	struct htab_entry *e = htab_find(&m->tab, key);

	if (!e)
		return false;
	if (e == m->at) {
		m->ahead = htab_next(&m->tab, e);
		m->at = NULL;
		m->jump = true;
	} else if (m->jump && e == m->ahead) {
		m->ahead = htab_next(&m->tab, e);
	}
	free(htab_del(&m->tab, key));
	return true;
}

enum table_result table_mem_get(struct table *t, str key, struct buf *value, struct err *err)
{
	const struct table_mem *m = t->impl;
	const struct table_entry *e = htab_get(&m->tab, key);

	(void)err;
	if (!e)
		return TABLE_NONE;
	buf_add(value, e->value, e->n);
	return TABLE_FOUND;
}

enum table_result table_mem_next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	struct table_mem *m = t->impl;
	const struct table_entry *e;

	(void)err;
	if (first)
		m->at = htab_next(&m->tab, NULL);
	else if (m->jump)
		m->at = m->ahead;
	else if (m->at)
		m->at = htab_next(&m->tab, m->at);
	m->jump = false;
	if (!m->at)
		return TABLE_NONE;
	e = m->at->value;
	buf_add(key, m->at->key, m->at->n);
	buf_add(value, e->value, e->n);
	return TABLE_FOUND;
}

void table_mem_free(void *mem)
{
	struct table_mem *m = mem;

	htab_free(&m->tab, free);
	free(m);
}
