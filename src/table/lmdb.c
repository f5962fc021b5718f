/* lmdb:, hash: and btree: tables. What is read is mapped memory and never waits; what is written is
 * committed in the thread pool, all that came meanwhile in one transaction. */
#include "base/mem.h"
#include "log/log.h"
#include "loop/co.h"
#include "loop/work.h"
#include "param/param.h"
#include "table/lmdbfile.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>

struct change {
	struct lmdb_op op;
	struct change *next;
	bool done;
	int rc;
};
struct lmdb_table {
	struct lmdb *l;
	struct change *waiting, **last;
	bool writing;  /* somebody commits, and will commit what is waiting too */
	int users;     /* in change() */
	bool orphaned; /* the file was replaced meanwhile: the last user ends it */
	struct cond done;
};

static const char *suffix(const struct table *t)
{
	return t->type == &table_type_lmdb ? ".lmdb" : ".db";
}

/* Said once per table and process: who forgot postmap should hear of it. */
static void check_source(const struct table *t)
{
	struct table_stamp db, source;

	if (table_stamp_get(t->path, &db) && table_stamp_get(t->name, &source) &&
	    source.mtime.tv_sec > db.mtime.tv_sec)
		log_warn("database %s is older than source file %s", t->path, t->name);
}

static void *load(struct table *t, struct err *err)
{
	bool write = t->flags & TABLE_WRITE;
	struct lmdb_table *lt;
	struct buf path = {0};
	struct lmdb *l;

	buf_printf(&path, "%s%s", t->name, suffix(t));
	table_watch(t, buf_text(&path));
	buf_free(&path);
	l = lmdb_open(t->path, write ? LMDB_WRITE | LMDB_CREATE : 0, 0600, conf.lmdb_map_size, err);
	if (!l)
		return NULL;
	if (!write)
		check_source(t);
	lt = mem_zero(sizeof(*lt));
	lt->l = l;
	lt->last = &lt->waiting;
	cond_init(&lt->done);
	return lt;
}

static void unload(void *impl)
{
	struct lmdb_table *lt = impl;

	if (lt->users) {
		lt->orphaned = true;
		return;
	}
	lmdb_close(lt->l);
	free(lt);
}

static bool busy(const struct table *t)
{
	return (t->flags & TABLE_WRITE) || t->busy_until > t->check_at - 1000000;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct lmdb_table *lt = t->impl;
	int r = lmdb_get(lt->l, key, busy(t), value, t->spec, err);

	return r > 0 ? TABLE_FOUND : r == 0 ? TABLE_NONE : TABLE_ERROR;
}

struct batch {
	struct lmdb *l;
	struct lmdb_op **v;
	size_t n;
	int rc;
};

static void commit(void *arg)
{
	struct batch *b = arg;

	b->rc = lmdb_apply(b->l, b->v, b->n);
}

/* Commits what waits until nothing does. The changes are in the stacks of those who wait. */
static void write_all(struct lmdb_table *lt)
{
	struct batch b = {.l = lt->l};
	struct change *first;

	lt->writing = true;
	while ((first = lt->waiting) != NULL) {
		lt->waiting = NULL;
		lt->last = &lt->waiting;
		b.n = 0;
		for (struct change *c = first; c; c = c->next) {
			b.v = mem_realloc(b.v, (b.n + 1) * sizeof(*b.v));
			b.v[b.n++] = &c->op;
		}
		do {
			if (co_self())
				work_run(commit, &b);
			else
				commit(&b);
		} while (b.rc == MDB_MAP_FULL && lmdb_grow(lt->l) == 0);
		for (struct change *c = first, *next; c; c = next) {
			next = c->next;
			c->rc = b.rc;
			c->done = true;
		}
		cond_wake_all(&lt->done);
	}
	lt->writing = false;
	free(b.v);
}

static int change(struct table *t, struct change *c, const char *doing, struct err *err)
{
	struct lmdb_table *lt = t->impl;

	lt->users++;
	*lt->last = c;
	lt->last = &c->next;
	/* Others hold pointers into this stack until it is done: no cancellation meanwhile. */
	if (lt->writing) {
		co_shield(true);
		while (!c->done)
			(void)cond_wait(&lt->done, FOREVER);
		co_shield(false);
	} else {
		write_all(lt);
	}
	if (--lt->users == 0 && lt->orphaned)
		unload(lt);
	if (c->rc != 0)
		return lmdb_error(err, c->rc, doing, t->spec);
	if (c->op.result < 0)
		return err_set(err, "error %s %s: the key is empty or too long", doing, t->spec);
	return c->op.result;
}

static int put(struct table *t, str key, str value, struct err *err)
{
	struct change c = {.op = {.key = key, .value = value}};

	return change(t, &c, "updating", err);
}

static int del(struct table *t, str key, struct err *err)
{
	struct change c = {.op = {.key = key, .del = true}};

	return change(t, &c, "deleting from", err);
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	struct lmdb_table *lt = t->impl;
	int r;

	if (first)
		buf_clear(&t->seq);
	r = lmdb_after(lt->l, &t->seq, busy(t), value, t->spec, err);
	if (r > 0)
		buf_add(key, t->seq.p, t->seq.n - (lt->l->nul && t->seq.p[t->seq.n - 1] == '\0'));
	return r > 0 ? TABLE_FOUND : r == 0 ? TABLE_NONE : TABLE_ERROR;
}

#define LMDB_TYPE(id)                                                                              \
	const struct table_type table_type_##id = {                                                \
	    .name = #id,                                                                           \
	    .traits = TRAIT_PARTIAL | TRAIT_FOLD,                                                  \
	    .load = load,                                                                          \
	    .unload = unload,                                                                      \
	    .get = get,                                                                            \
	    .put = put,                                                                            \
	    .del = del,                                                                            \
	    .next = next,                                                                          \
	}
LMDB_TYPE(lmdb);
LMDB_TYPE(hash);
LMDB_TYPE(btree);
