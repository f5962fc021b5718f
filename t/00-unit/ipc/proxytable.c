/* proxy: tables against a server that answers what it is told. */
#include "../../lib/fakeservice.h"
#include "../table/tabletest.h"
#include "ipc/mapproto.h"
#include "ipc/msg.h"

static struct ipc_map_answer answer;
static char asked[300];
static bool close_after;
static enum msg answer_type;

static void serve(struct stream *s)
{
	struct ipc_msg m;
	struct err err;

	while (ipc_recv(s, &m, FOREVER, &err) == WAIT_OK) {
		if (m.type == MSG_MAP_GET)
			snprintf(asked, sizeof(asked), "get %.*s %x %.*s", STR_FMT(m.map_get.map),
			    m.map_get.flags, STR_FMT(m.map_get.key));
		else if (m.type == MSG_MAP_PUT)
			snprintf(asked, sizeof(asked), "put %.*s %.*s %.*s", STR_FMT(m.map_put.map),
			    STR_FMT(m.map_put.key), STR_FMT(m.map_put.value));
		else
			snprintf(asked, sizeof(asked), "%s", ipc_name(m.type));
		if (ipc_send_now(s, answer_type, &answer, FOREVER) != WAIT_OK || close_after)
			break;
	}
}

static const char *get(enum map_status status)
{
	answer = (struct ipc_map_answer){.status = status, .value = STR("v")};
	return ask("proxy:hash:/x", "Key");
}

static void run(void *arg)
{
	struct fakeservice f = {.path = "private/proxymap", .serve = serve};
	struct fakeservice w = {.path = "private/proxywrite", .serve = serve};
	struct err err = {0};
	struct table *t;

	(void)arg;
	answer_type = MSG_MAP_ANSWER;
	is_int(mkdir("private", 0755), 0, "directory");
	fakeservice_start(&f);
	fakeservice_start(&w);
	is_cstr(get(MAP_STAT_OK), "v", "found");
	is_cstr(asked, "get hash:/x 1 Key", "the question");
	is_cstr(get(MAP_STAT_NOT_FOUND), "(none)", "not found");
	is_cstr(get(MAP_STAT_RETRY), "(error)", "failed");
	is_cstr(get(MAP_STAT_DENIED), "(error)", "denied");
	is_cstr(get(MAP_STAT_BAD), "(error)", "bad");
	is_cstr(get((enum map_status)77), "(error)", "a status that there is not");
	is_int(f.connections, 1, "one connection");
	close_after = true;
	is_cstr(get(MAP_STAT_OK), "v", "a server that goes");
	co_sleep(50);
	is_cstr(get(MAP_STAT_OK), "v", "and is there again");
	answer_type = MSG_MAP_OPEN;
	is_cstr(get(MAP_STAT_OK), "(error)", "an answer of the wrong kind");
	answer_type = MSG_MAP_ANSWER;
	close_after = false;
	t = table_open(STR("proxy:internal:y"), TABLE_WRITE, &err);
	is_int(table_put(t, STR("a"), STR("b"), &err), 0, "put");
	is_cstr(asked, "put internal:y a b", "the question");
	is_int(w.connections, 1, "goes to proxywrite");
	answer.status = MAP_STAT_NOT_FOUND;
	is_int(table_delete(t, STR("a"), &err), 1, "delete what is not there");
	is_cstr(asked, "MAP_DEL", "the question");
	ok(!table_partial_keys(table_open(STR("proxy:pcre:/x"), 0, &err)),
	    "patterns stay patterns");
	ok(table_partial_keys(table_open(STR("proxy:ldap:/x"), 0, &err)),
	    "what is not known here is indexed");
	is_cstr(table_spec(table_open(STR("proxy:static:z"), TABLE_NO_PROXY, &err)), "static:z",
	    "sensitive tables are opened directly");
	fakeservice_stop(&f);
	fakeservice_stop(&w);
	is_cstr(get(MAP_STAT_OK), "(error)", "nobody there");
}

int main(void)
{
	return table_tests(run, "");
}
