/* Hash table, heap, list. */
#include "../../lib/tap.h"
#include "base/heap.h"
#include "base/htab.h"
#include "base/list.h"
#include "base/mem.h"

#define N 20000

static void tables(void)
{
	struct htab t = {0};
	static int values[N];
	char key[32];
	bool good = true;
	size_t seen = 0;

	ok(!htab_get(&t, STR("x")) && !htab_del(&t, STR("x")) && !htab_next(&t, NULL), "empty");
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		htab_set(&t, str_of(key), &values[i]);
	}
	is_int(t.count, N, "count");
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		good = good && htab_get(&t, str_of(key)) == &values[i];
		if (i % 2)
			good = good && htab_del(&t, str_of(key)) == &values[i];
	}
	ok(good, "everything is found");
	HTAB_FOREACH (e, &t)
		seen++;
	is_int(seen, N / 2, "the walk sees what is left");
	ok(!htab_get(&t, STR("key 1")), "deleted");
	htab_set(&t, STR("key 0"), &values[7]);
	is_int(t.count, N / 2, "replacing adds nothing");
	ok(htab_get(&t, STR("key 0")) == &values[7], "replaced");
	htab_set(&t, str_mem("a\0b", 3), &values[1]);
	ok(!htab_get(&t, STR("a")) && htab_get(&t, str_mem("a\0b", 3)), "keys may hold NULs");
	htab_set(&t, STR(""), &values[2]);
	ok(htab_get(&t, str_of(NULL)) == &values[2], "the empty key");
	is_cstr(htab_find(&t, STR("key 4"))->key, "key 4", "an entry has its key");
	for (struct htab_entry *e = htab_next(&t, NULL), *next; e; e = next) {
		next = htab_next(&t, e);
		htab_del(&t, str_mem(e->key, e->n));
	}
	is_int(t.count, 0, "deleting during the walk");
	htab_free(&t, NULL);
	htab_set(&t, STR("x"), mem_strdup("value"));
	htab_free(&t, free);
	ok(!t.slots, "free");
	ok(htab_hash(STR("a")) != htab_hash(STR("b")) && htab_hash(STR("a")) == htab_hash(STR("a")),
	    "hash");
}

static void heaps(void)
{
	static struct heap_node nodes[N];
	struct heap h = {0};
	uint64_t x = 12345, last = 0;
	size_t n = 0;
	bool good = true;

	ok(!heap_min(&h), "an empty heap");
	for (int i = 0; i < N; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		nodes[i].key = x >> 50;
		heap_add(&h, &nodes[i]);
	}
	for (int i = 0; i < N; i += 3) {
		heap_remove(&h, &nodes[i]);
		heap_remove(&h, &nodes[i]);
	}
	while (heap_min(&h)) {
		struct heap_node *min = heap_min(&h);
		good = good && min->key >= last;
		last = min->key;
		heap_remove(&h, min);
		good = good && min->index == 0;
		n++;
	}
	is_int(n, N - (N + 2) / 3, "all come out once");
	ok(good, "in order");
	heap_free(&h);
}

struct item {
	int v;
	struct list link;
};

static void lists(void)
{
	struct item items[4] = {{1, {0}}, {2, {0}}, {3, {0}}, {4, {0}}}, *it;
	struct list l;
	int sum = 0;

	list_init(&l);
	ok(list_empty(&l), "an empty list");
	list_append(&l, &items[1].link);
	list_append(&l, &items[2].link);
	list_prepend(&l, &items[0].link);
	list_insert_before(&items[2].link, &items[3].link);
	LIST_FOREACH (it, &l, struct item, link) {
		sum = sum * 10 + it->v;
		list_remove(&it->link);
	}
	is_int(sum, 1243, "order");
	ok(list_empty(&l), "removed during the walk");
	list_remove(&items[0].link);
	ok(list_empty(&items[0].link), "removed twice");
}

int main(void)
{
	tables();
	heaps();
	lists();
	return done();
}
