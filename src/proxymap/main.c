/* proxymap and proxywrite: look-ups (and updates) in tables for programs that cannot or should not
 * open them. Only what proxy_read_maps (proxy_write_maps) names is served. */
#include "base/htab.h"
#include "ipc/mapproto.h"
#include "ipc/msg.h"
#include "log/log.h"
#include "loop/idle.h"
#include "param/param.h"
#include "proxymap/approved.h"
#include "service/service.h"
#include "table/table.h"
#include <errno.h>

#define CLIENT_FLAGS (TABLE_FOLD | TABLE_UTF8 | TABLE_NO_REGSUB)

static struct approved approved;
static bool may_write; /* this is proxywrite */

/* A request, whatever its kind. */
struct request {
	str map, key, value;
	uint32_t flags, first;
	bool writes;
};
struct answer {
	enum map_status status;
	uint32_t flags;
	struct buf key, value;
};

static void setup(void)
{
	may_write = strcmp(service_name(), conf.proxywrite_service_name) == 0;
	approved_add(&approved, str_of(may_write ? conf.proxy_write_maps : conf.proxy_read_maps));
}

static struct table *open_table(const struct request *q, struct answer *a)
{
	struct err err = {0};
	struct table *t;

	if (!approved_has(&approved, q->map)) {
		a->status = MAP_STAT_DENIED;
		log_warn("request for unapproved table: \"%.*s\"", STR_FMT(str_head(q->map, 200)));
		log_warn("to approve this table for %s access, list proxy:%.*s in %s:%s",
		    may_write ? "read-write" : "read-only", STR_FMT(str_head(q->map, 200)),
		    "main.cf", may_write ? "proxy_write_maps" : "proxy_read_maps");
		return NULL;
	}
	if (q->writes && !may_write) {
		a->status = MAP_STAT_DENIED;
		log_warn("request to write table \"%.*s\" through the read-only service",
		    STR_FMT(str_head(q->map, 200)));
		return NULL;
	}
	t = table_open(q->map, (q->flags & CLIENT_FLAGS) | (may_write ? TABLE_WRITE : 0), &err);
	if (!t) {
		a->status = MAP_STAT_BAD;
		log_warn("table %.*s: %s", STR_FMT(str_head(q->map, 200)), err.text);
	}
	return t;
}

static enum map_status status_of(enum table_result r, const struct err *err)
{
	if (r == TABLE_FOUND)
		return MAP_STAT_OK;
	if (r == TABLE_NONE)
		return MAP_STAT_NOT_FOUND;
	log_warn("%s", err->text);
	return MAP_STAT_RETRY;
}

static void do_request(const struct ipc_msg *m, const struct request *q, struct answer *a)
{
	struct err err = {0};
	struct table *t = open_table(q, a);
	enum table_result r = TABLE_FOUND;

	if (!t)
		return;
	switch (m->type) {
	case MSG_MAP_GET:
		r = table_get(t, q->key, &a->value, &err);
		break;
	case MSG_MAP_PUT:
		r = (enum table_result)table_put(t, q->key, q->value, &err);
		break;
	case MSG_MAP_DEL:
		r = (enum table_result)table_delete(t, q->key, &err);
		break;
	case MSG_MAP_NEXT:
		r = table_next(t, q->first, &a->key, &a->value, &err);
		break;
	default:
		a->flags = table_partial_keys(t);
		break;
	}
	a->status = status_of(r, &err);
}

/* False: this is no request. */
static bool unpack(const struct ipc_msg *m, struct request *q)
{
	switch (m->type) {
	case MSG_MAP_OPEN:
		*q = (struct request){.map = m->map_open.map, .flags = m->map_open.flags};
		return true;
	case MSG_MAP_GET:
		*q = (struct request){
		    .map = m->map_get.map, .flags = m->map_get.flags, .key = m->map_get.key};
		return true;
	case MSG_MAP_PUT:
		*q = (struct request){.map = m->map_put.map,
		    .flags = m->map_put.flags,
		    .key = m->map_put.key,
		    .value = m->map_put.value,
		    .writes = true};
		return true;
	case MSG_MAP_DEL:
		*q = (struct request){.map = m->map_del.map,
		    .flags = m->map_del.flags,
		    .key = m->map_del.key,
		    .writes = true};
		return true;
	case MSG_MAP_NEXT:
		*q = (struct request){
		    .map = m->map_next.map, .flags = m->map_next.flags, .first = m->map_next.first};
		return true;
	default:
		return false;
	}
}

static int64_t deadline(void)
{
	return conf.ipc_timeout > 0 ? deadline_in((int64_t)conf.ipc_timeout * 1000) : FOREVER;
}

/* The request's slices point into the stream's buffer, which stays until the next read: the answer
 * is made and sent before that. */
static void serve(struct stream *s, const struct hostaddr *peer)
{
	struct answer a = {0};
	struct err err = {0};
	struct ipc_msg m;
	enum wait w;

	(void)peer;
	while (idle_wait(s) == WAIT_OK) {
		struct ipc_map_answer out;
		struct request q;

		w = ipc_recv(s, &m, deadline(), &err);
		if (w == WAIT_ERROR && errno == EPROTO)
			log_warn("%s", err.text);
		if (w != WAIT_OK)
			break;
		buf_clear(&a.key);
		buf_clear(&a.value);
		a.status = MAP_STAT_BAD;
		a.flags = 0;
		if (unpack(&m, &q))
			do_request(&m, &q, &a);
		else
			log_warn("unexpected message %s", ipc_name(m.type));
		out = (struct ipc_map_answer){.status = a.status,
		    .flags = a.flags,
		    .key = buf_view(&a.key),
		    .value = buf_view(&a.value)};
		if (ipc_send_now(s, MSG_MAP_ANSWER, &out, deadline()) != WAIT_OK)
			break;
	}
	buf_free(&a.key);
	buf_free(&a.value);
}

static const struct service proxymap = {
    .program = "proxymap",
    .setup = setup,
    .serve = serve,
};

int main(int argc, char **argv)
{
	return service_main(argc, argv, &proxymap);
}
