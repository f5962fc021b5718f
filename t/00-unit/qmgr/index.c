/* The index of messages: names, states, places, and that a deferred one costs little. */
// with: src/qmgr/index.c
#include "qmgr/index.h"
#include "../../lib/tap.h"

static void test_many(void)
{
	char id[32];
	struct buf names = {0};
	bool good = true;
	size_t n = 0;

	for (int i = 0; i < 5000; i++) {
		snprintf(id, sizeof(id), "%X", 0x10000 + i * 7919);
		good &= index_add(id, ITEM_DEFERRED) != NULL;
	}
	ok(good, "5000 messages");
	is_int(index_count(), 5000, "are counted");
	ok(!index_add("10000", ITEM_DEFERRED), "a name is there once");
	for (int i = 0; i < 5000; i++) {
		snprintf(id, sizeof(id), "%X", 0x10000 + i * 7919);
		good &= index_find(id) && !strcmp(index_find(id)->id, id);
		if (i % 2)
			index_remove(index_find(id));
	}
	ok(good, "all are found");
	is_int(index_count(), 2500, "half is removed");
	index_names(&names);
	for (size_t at = 0; at < names.n; at += strlen(names.p + at) + 1)
		n++;
	is_int(n, 2500, "names of the rest");
	ok(!index_find("10000x") && !index_find(""), "others are not found");
	buf_free(&names);
	for (int i = 0; i < 5000; i += 2) {
		snprintf(id, sizeof(id), "%X", 0x10000 + i * 7919);
		index_remove(index_find(id));
	}
	is_int(index_count(), 0, "and empty");
	ok(sizeof(struct item) + 16 <= 80, "a deferred message costs little");
}

static void test_refs(void)
{
	struct item *i = index_add("ABC1", ITEM_DEFERRED);
	struct queue_ref in = {.id = "ABC1", .lane = LANE_FILE, .queue = "deferred"}, out;

	item_set_ref(i, &in);
	ok(!i->ref, "a file in deferred needs no place");
	item_ref(i, &out);
	is_cstr(out.queue, "deferred", "which is known");
	is_cstr(out.id, "ABC1", "by its name");
	in.lane = LANE_LOG;
	in.segment = 7;
	in.offset = 4096;
	item_set_ref(i, &in);
	item_ref(i, &out);
	is_int(out.offset, 4096, "a place in the log is remembered");
	index_remove(i);
}

int main(void)
{
	test_many();
	test_refs();
	return done();
}
