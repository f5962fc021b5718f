/* lmdb, hash, btree and cdb: building, looking up, changing while others look. */
#include "table/make.h"
#include "tabletest.h"
#include <fcntl.h>
#include <unistd.h>

static void build(const char *type, const char *name, enum make_nul nul, int n, const char *value)
{
	struct make_opts o = {.nul = nul, .mode = 0640};
	struct err err = {0};
	struct make *m = make_begin(str_of(type), str_of(name), &o, &err);
	char key[40];

	if (!m) {
		ok(false, err.text);
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		make_put(m, str_of(key), str_of(value), false, &err);
	}
	ok(make_end(m, true, &err) == 0, type);
}

static void test_type(const char *type, enum make_nul nul)
{
	char spec[100], name[50];
	struct buf k = {0}, v = {0};
	struct table *t;
	struct stat st;
	char *path;
	int n = 0;

	snprintf(name, sizeof(name), "t-%s-%d", type, nul);
	snprintf(spec, sizeof(spec), "%s:%s", type, name);
	build(type, name, nul, 5000, "value");
	is_cstr(ask(spec, "KEY4999"), "value", "found");
	is_cstr(ask(spec, "key5000"), "(none)", "not found");
	is_cstr(ask(spec, ""), "(none)", "the empty key");
	path = make_path(str_of(type), str_of(name));
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640, "mode of a new file");
	free(path);
	t = table_open(str_of(spec), TABLE_FOLD, NULL);
	for (bool first = true; table_next(t, first, &k, &v, NULL) == TABLE_FOUND; first = false)
		n += str_starts(buf_view(&k), STR("key")) && v.n == 5;
	is_int(n, 5000, "a walk sees all");
	build(type, name, nul, 2, "other");
	ok(becomes(spec, "key1", "other"), "a new file is seen");
	is_cstr(ask(spec, "key100"), "(none)", "and what it has not");
	buf_free(&k);
	buf_free(&v);
}

static void test_make(void)
{
	struct make_opts o = {.mode = 0644}, keep = {.mode = 0644, .keep = true};
	struct err err = {0};
	struct make *m = make_begin(STR("lmdb"), STR("m"), &o, &err);
	char long_key[700];

	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	is_int(make_put(m, STR("a"), STR("1"), false, &err), 0, "put");
	is_int(make_put(m, STR("a"), STR("2"), false, &err), 1, "put again: duplicate");
	is_int(make_put(m, STR("b"), STR("2"), true, &err), 0, "put");
	is_int(make_put(m, STR("b"), STR("3"), true, &err), 0, "replace");
	is_int(make_put(m, str_of(long_key), STR("3"), true, &err), 2, "too long a key");
	ok(access("m.lmdb", F_OK) != 0, "nothing is there before the end");
	is_int(make_end(m, true, &err), 0, "end");
	asks("lmdb:m", "a", "1");
	asks("lmdb:m", "b", "3");
	is_cstr(ask_flags("lmdb:m", long_key, 0), "(none)", "a key that is too long to be there");
	m = make_begin(STR("lmdb"), STR("m"), &keep, &err);
	is_int(make_delete(m, STR("a"), &err), 0, "delete");
	is_int(make_delete(m, STR("zz"), &err), 1, "delete what is not there");
	is_int(make_put(m, STR("c"), STR("4"), false, &err), 0, "add");
	is_int(make_end(m, true, &err), 0, "end");
	ok(becomes("lmdb:m", "c", "4"), "changes in place are seen");
	asks("lmdb:m", "a", "(none)");
	asks("lmdb:m", "b", "3");
	m = make_begin(STR("lmdb"), STR("m"), &o, &err);
	make_put(m, STR("never"), STR("1"), false, &err);
	make_end(m, false, &err);
	asks("lmdb:m", "never", "(none)");
	ok(make_begin(STR("cdb"), STR("m"), &keep, &err) == NULL, "cdb is not changed in place");
	ok(make_begin(STR("lmdb"), STR("/no/such/dir/x"), &o, &err) == NULL, err.text);
	is_int(system("ls | grep -q 'm.lmdb[.]'") == 0, 0, "no temporary files are left");
}

/* What is read must be a whole file of the right kind. */
static void test_damage(void)
{
	struct err err = {0};
	struct table *t;
	int fd;

	asks("lmdb:missing", "k", "(error)");
	t = table_open(STR("lmdb:missing"), TABLE_FOLD, &err);
	is_cstr(
	    table_unavailable(t), "open database missing.lmdb: No such file or directory", "why");
	spew("junk.lmdb", "this is no database at all\n");
	asks("lmdb:junk", "k", "(error)");
	spew("none.db", "");
	asks("hash:none", "k", "(error)");
	spew("junk.cdb", "short");
	asks("cdb:junk", "k", "(error)");
	build("lmdb", "cut", MAKE_NUL_NO, 20000, "value");
	if (truncate("cut.lmdb", 40960) != 0)
		abort();
	asks("lmdb:cut", "key1", "(error)");
	build("cdb", "cut", MAKE_NUL_NO, 20000, "value");
	if (truncate("cut.cdb", 40960) != 0)
		abort();
	ask("cdb:cut", "key1"); /* any answer, no crash */
	ok(true, "a cut cdb file does no harm");
	build("cdb", "flip", MAKE_NUL_NO, 1000, "value");
	fd = open("flip.cdb", O_RDWR);
	for (int i = 0; i < 2048; i += 3)
		if (pwrite(fd, "\xff\xfe", 2, i) != 2)
			abort();
	close(fd);
	for (int i = 0; i < 100; i++) {
		char key[20];

		snprintf(key, sizeof(key), "key%d", i);
		ask("cdb:flip", key);
	}
	ok(true, "nor does one with wrong pointers");
	ok(mkdir("dir.lmdb", 0755) == 0, "a directory");
	asks("lmdb:dir", "k", "(error)");
	build("lmdb", "missing", MAKE_NUL_DEFAULT, 3, "v");
	ok(becomes("lmdb:missing", "key2", "v"), "a table that comes later is opened");
}

struct writer {
	struct table *t;
	int n, left;
};

static void write_some(void *arg)
{
	struct writer *w = arg;
	struct err err = {0};
	struct buf v = {0};
	char key[40];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "w%d-%d", w->n, i);
		if (table_put(w->t, str_of(key), STR("x"), &err) != 0 ||
		    table_get(w->t, str_of(key), &v, &err) != TABLE_FOUND)
			w->left++;
		if (i % 2 && table_delete(w->t, str_of(key), &err) != 0)
			w->left++;
	}
	buf_free(&v);
}

static void test_cache(void)
{
	struct err err = {0};
	struct table *t = table_open(STR("lmdb:cache"), TABLE_WRITE, &err);
	struct writer w[30];
	struct buf k = {0}, v = {0};
	struct scope s;
	int n = 0, bad = 0;

	ok(t && !table_unavailable(t), "a writable table is made");
	scope_init(&s);
	for (int i = 0; i < 30; i++) {
		w[i] = (struct writer){t, i, 0};
		co_start(&s, "writer", write_some, &w[i]);
	}
	scope_join(&s);
	for (int i = 0; i < 30; i++)
		bad += w[i].left;
	is_int(bad, 0, "thirty writers at once");
	for (bool first = true; table_next(t, first, &k, &v, &err) == TABLE_FOUND; first = false)
		n++;
	is_int(n, 300, "what they left");
	asks("lmdb:cache", "w3-4", "x");
	is_int(table_delete(t, STR("w3-4"), &err), 0, "delete");
	is_int(table_delete(t, STR("w3-4"), &err), 1, "delete again");
	is_int(table_put(t, STR(""), STR("x"), &err), -1, "no empty key");
	buf_free(&k);
	buf_free(&v);
}

static void run(void *arg)
{
	static const char *const types[] = {"lmdb", "hash", "btree", "cdb"};

	(void)arg;
	for (int i = 0; i < 4; i++)
		for (int nul = MAKE_NUL_DEFAULT; nul <= MAKE_NUL_NO; nul++)
			test_type(types[i], nul);
	test_make();
	test_damage();
	test_cache();
}

int main(void)
{
	return table_tests(run, "");
}
