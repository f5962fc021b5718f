/* tcp:host:port: one line asked, one line answered (tcp_table). */
#include "base/mem.h"
#include "table/netconn.h"
#include "table/netproto.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>

#define TIMEOUT_MS (100 * 1000)

static void unload(void *impl)
{
	netconn_free(impl);
	free(impl);
}

static void *load(struct table *t, struct err *err)
{
	struct endpoint e;
	struct netconn *c;

	if (endpoint_parse(&e, str_of(t->name), err) != 0 || e.is_unix) {
		err_prefix(err, "%s", t->spec);
		return NULL;
	}
	c = mem_zero(sizeof(*c));
	netconn_init(c, &e, TIMEOUT_MS);
	return c;
}

/* One question over one connection. *again: it was a kept one and had been closed. */
static enum table_result ask(struct table *t, const struct buf *request, bool fresh, bool *again,
    struct buf *value, struct err *err)
{
	int64_t deadline = deadline_in(TIMEOUT_MS);
	struct netconn *c = t->impl;
	enum table_result r;
	enum wait w;
	bool kept;
	str line;
	struct stream *s = netconn_get(c, fresh, &kept, deadline, err);

	*again = false;
	if (!s)
		return TABLE_ERROR;
	w = stream_write(s, request->p, request->n, deadline);
	if (w == WAIT_OK)
		w = stream_flush(s, deadline);
	if (w == WAIT_OK)
		w = stream_gets(s, TCP_REPLY_MAX, &line, deadline);
	if (w != WAIT_OK) {
		*again = kept && (w == WAIT_EOF || w == WAIT_ERROR);
		err_set(err, "%s", w == WAIT_LIMIT ? "reply is too long" : wait_name(w));
		netconn_drop(c, s);
		return TABLE_ERROR;
	}
	r = tcp_reply(line, value, err);
	if (r == TABLE_ERROR)
		netconn_drop(c, s);
	else
		netconn_put(c, s);
	return r;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct buf request = {0};
	enum table_result r;
	bool again;

	tcp_request(&request, key);
	r = ask(t, &request, false, &again, value, err);
	if (again)
		r = ask(t, &request, true, &again, value, err);
	buf_free(&request);
	return r;
}

const struct table_type table_type_tcp = {
    .name = "tcp",
    .load = load,
    .unload = unload,
    .get = get,
};
