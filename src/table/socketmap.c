/* socketmap:inet:host:port:name, socketmap:unix:path:name: netstrings (socketmap_table). */
#include "base/mem.h"
#include "param/param.h"
#include "table/netconn.h"
#include "table/netproto.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>

#define TIMEOUT_MS (100 * 1000)
#define IDLE_MS	   (10 * 1000)

struct socketmap {
	struct netconn conn;
	str name; /* into the table's name */
};

static void unload(void *impl)
{
	struct socketmap *m = impl;

	netconn_free(&m->conn);
	free(m);
}

static void *load(struct table *t, struct err *err)
{
	str spec = str_of(t->name);
	ptrdiff_t colon = str_rchr(spec, ':');
	struct socketmap *m;
	struct endpoint e;

	if (colon <= 0 || (!str_starts(spec, STR("inet:")) && !str_starts(spec, STR("unix:")))) {
		err_set(err, "socketmap requires server:socketmap argument");
		return NULL;
	}
	if (endpoint_parse(&e, str_head(spec, (size_t)colon), err) != 0) {
		err_prefix(err, "%s", t->spec);
		return NULL;
	}
	m = mem_zero(sizeof(*m));
	m->name = str_from(spec, (size_t)colon + 1);
	netconn_init(&m->conn, &e, IDLE_MS);
	return m;
}

/* Reads a netstring; the payload points into the stream's buffer. */
static enum wait read_reply(struct stream *s, str *payload, int64_t deadline, struct err *err)
{
	size_t length, head, have = 1;
	enum wait w;
	str data;

	for (;;) {
		int r;

		w = stream_peek(s, have, &data, deadline);
		if (w != WAIT_OK)
			return w;
		r = netstring_head(
		    data, (size_t)conf.socketmap_max_reply_size, &length, &head, err);
		if (r < 0)
			return WAIT_LIMIT;
		if (r > 0)
			break;
		have = data.n + 1;
	}
	w = stream_peek(s, head + length + 1, &data, deadline);
	if (w != WAIT_OK)
		return w;
	if (data.p[head + length] != ',') {
		err_set(err, "netstring format error: no comma at its end");
		return WAIT_LIMIT;
	}
	*payload = str_mem(data.p + head, length);
	stream_consume(s, head + length + 1);
	return WAIT_OK;
}

static enum table_result ask(struct table *t, const struct buf *request, bool fresh, bool *again,
    struct buf *value, struct err *err)
{
	int64_t deadline = deadline_in(TIMEOUT_MS);
	struct socketmap *m = t->impl;
	enum table_result r;
	enum wait w;
	bool kept;
	str payload;
	struct stream *s = netconn_get(&m->conn, fresh, &kept, deadline, err);

	*again = false;
	if (!s)
		return TABLE_ERROR;
	w = stream_write(s, request->p, request->n, deadline);
	if (w == WAIT_OK)
		w = stream_flush(s, deadline);
	if (w == WAIT_OK)
		w = read_reply(s, &payload, deadline, err);
	if (w != WAIT_OK) {
		*again = kept && (w == WAIT_EOF || w == WAIT_ERROR);
		if (w != WAIT_LIMIT)
			err_set(err, "%s", wait_name(w));
		netconn_drop(&m->conn, s);
		return TABLE_ERROR;
	}
	r = socketmap_reply(payload, value, err);
	netconn_put(&m->conn, s);
	return r;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct socketmap *m = t->impl;
	struct buf request = {0};
	enum table_result r;
	bool again;

	if ((int64_t)(m->name.n + 1 + key.n) > conf.socketmap_max_query_size) {
		err_set(err, "query is longer than socketmap_max_query_size");
		return TABLE_ERROR;
	}
	socketmap_request(&request, m->name, key);
	r = ask(t, &request, false, &again, value, err);
	if (again)
		r = ask(t, &request, true, &again, value, err);
	buf_free(&request);
	return r;
}

const struct table_type table_type_socketmap = {
    .name = "socketmap",
    .load = load,
    .unload = unload,
    .get = get,
};
