/* proxy:type:name tables: the client of proxymap and proxywrite. It speaks messages between
 * programs and so lives here, not among the tables. */
#include "base/mem.h"
#include "ipc/mapproto.h"
#include "ipc/msg.h"
#include "ipc/pool.h"
#include "param/param.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT 8

struct server {
	const char *const *name; /* the parameter */
	struct ipc_pool *pool;
};
static struct server read_server = {.name = &conf.proxymap_service_name};
static struct server write_server = {.name = &conf.proxywrite_service_name};

/* Programs run in the queue directory; commands run anywhere. */
static struct ipc_pool *pool(struct table *t)
{
	struct server *s = t->flags & TABLE_WRITE ? &write_server : &read_server;
	struct buf path = {0};

	if (s->pool)
		return s->pool;
	buf_printf(&path, "private/%s", *s->name);
	if (access(buf_text(&path), F_OK) != 0 && errno == ENOENT) {
		buf_clear(&path);
		buf_printf(&path, "%s/private/%s", conf.queue_directory, *s->name);
		if (access(buf_text(&path), F_OK) != 0) {
			buf_clear(&path);
			buf_printf(&path, "private/%s", *s->name);
		}
	}
	s->pool = ipc_pool_new(buf_text(&path), KEPT);
	buf_free(&path);
	return s->pool;
}

static void *load(struct table *t, struct err *err)
{
	str type, name;
	const struct table_type *inner;

	if (table_spec_split(str_of(t->name), &type, &name, err) != 0)
		return NULL;
	/* The server folds keys as the type wants; of the type itself only this much must be known
	 * here. */
	inner = table_type_find(type);
	t->traits = (inner ? inner->traits : (unsigned)TRAIT_PARTIAL) & ~(unsigned)TRAIT_FOLD;
	return t;
}

static void unload(void *impl)
{
	(void)impl;
}

static int64_t deadline(void)
{
	return conf.ipc_timeout > 0 ? deadline_in((int64_t)conf.ipc_timeout * 1000) : FOREVER;
}

/* One request on one connection. 0, -1 and err; *again: a kept connection had been closed. */
static int ask_once(struct table *t, enum msg type, const void *request, bool fresh, bool *again,
    struct buf *key, struct buf *value, uint32_t *status, struct err *err)
{
	struct ipc_pool *p = pool(t);
	struct ipc_msg answer;
	struct stream *s;
	bool is_fresh = false;
	enum wait w;

	*again = false;
	s = ipc_pool_get(p, fresh, &is_fresh, deadline(), err);
	if (!s)
		return -1;
	w = ipc_send_now(s, type, request, deadline());
	if (w == WAIT_OK)
		w = ipc_expect(s, MSG_MAP_ANSWER, &answer, deadline(), err);
	else
		err_set(err, "%s", wait_name(w));
	if (w != WAIT_OK) {
		ipc_pool_drop(p, s);
		*again = !is_fresh && w != WAIT_CANCEL && w != WAIT_TIMEOUT;
		return err_prefix(err, "proxy service");
	}
	*status = answer.map_answer.status;
	if (key)
		buf_str(key, answer.map_answer.key);
	if (value)
		buf_str(value, answer.map_answer.value);
	ipc_pool_put(p, s);
	return 0;
}

static enum table_result ask(struct table *t, enum msg type, const void *request, struct buf *key,
    struct buf *value, struct err *err)
{
	uint32_t status = MAP_STAT_RETRY;
	bool again;
	int r = ask_once(t, type, request, false, &again, key, value, &status, err);

	if (r != 0 && again)
		r = ask_once(t, type, request, true, &again, key, value, &status, err);
	if (r != 0)
		return TABLE_ERROR;
	switch (status) {
	case MAP_STAT_OK:
		return TABLE_FOUND;
	case MAP_STAT_NOT_FOUND:
		return TABLE_NONE;
	case MAP_STAT_DENIED:
		err_set(err, "service denies access to table \"%s\"", t->name);
		return TABLE_ERROR;
	case MAP_STAT_BAD:
		err_set(err, "service refuses the request");
		return TABLE_ERROR;
	default:
		err_set(err, "table lookup error");
		return TABLE_ERROR;
	}
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct ipc_map_get m = {.map = str_of(t->name), .flags = t->flags, .key = key};

	return ask(t, MSG_MAP_GET, &m, NULL, value, err);
}

static int put(struct table *t, str key, str value, struct err *err)
{
	struct ipc_map_put m = {
	    .map = str_of(t->name), .flags = t->flags, .key = key, .value = value};

	return ask(t, MSG_MAP_PUT, &m, NULL, NULL, err) == TABLE_FOUND ? 0 : -1;
}

static int del(struct table *t, str key, struct err *err)
{
	struct ipc_map_del m = {.map = str_of(t->name), .flags = t->flags, .key = key};

	return (int)ask(t, MSG_MAP_DEL, &m, NULL, NULL, err);
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	struct ipc_map_next m = {.map = str_of(t->name), .flags = t->flags, .first = first};

	return ask(t, MSG_MAP_NEXT, &m, key, value, err);
}

const struct table_type table_type_proxy = {
    .name = "proxy",
    .traits = TRAIT_PARTIAL,
    .load = load,
    .unload = unload,
    .get = get,
    .put = put,
    .del = del,
    .next = next,
};
