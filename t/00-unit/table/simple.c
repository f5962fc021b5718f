/* The types that need nothing but themselves. */
#include "tabletest.h"
#include <unistd.h>

static void test_inline(void)
{
	asks("inline:{k=v, {x = a b}, K2=w}", "k", "v");
	asks("inline:{k=v, {x = a b}, K2=w}", "X", "a b");
	asks("inline:{k=v, {x = a b}, K2=w}", "k2", "w");
	asks("inline:{k=v}", "z", "(none)");
	asks("inline:{k=v k=w}", "k", "w");
	asks("inline:{ {a = {b} } }", "a", "{b}");
	is_cstr(ask_flags("inline:{K=w}", "K", 0), "w", "keys as they are, without folding");
	asks("inline:{}", "k", "(error)");
	asks("inline:{ }", "k", "(error)");
	asks("inline:{k}", "k", "(error)");
	asks("inline:k=v", "k", "(error)");
	asks("inline:{k=v", "k", "(error)");
	asks("inline:{a=b}x", "k", "(error)");
	asks("inline:{{k = v} {x}}", "k", "(error)");
}

static void test_static(void)
{
	asks("static:yes", "anything", "yes");
	asks("static:{ two words }", "x", "two words");
	asks("static:{a", "x", "(error)");
	asks("static:{x}y", "x", "(error)");
	asks("static:", "x", "(bad spec)");
	asks("nosuch:x", "x", "(error)");
	asks("nothing", "x", "(bad spec)");
	asks(":x", "x", "(bad spec)");
	asks("fail:x", "x", "(error)");
}

static void test_stacked(void)
{
	asks("unionmap:{inline:{k=1}, static:z, inline:{j=3}}", "k", "1,z");
	asks("unionmap:{inline:{k=1},inline:{j=3}}", "q", "(none)");
	asks("unionmap:{static:a, fail:x}", "q", "(error)");
	asks("pipemap:{inline:{k=m}, inline:{m=end}}", "k", "end");
	asks("pipemap:{inline:{k=m}, inline:{x=end}}", "k", "(none)");
	asks("pipemap:{static:a, fail:x}", "k", "(error)");
	asks("unionmap:{}", "k", "(error)");
	asks("unionmap:x", "k", "(error)");
	asks("unionmap:{foo}", "k", "(error)");
	asks("pipemap:{static:a nosuch:b}", "k", "(error)");
	ok(!table_partial_keys(table_open(STR("unionmap:{static:a, regexp:{{/x/ y}}}"), 0, NULL)),
	    "a union with patterns takes whole keys");
	ok(table_partial_keys(table_open(STR("pipemap:{static:a, regexp:{{/x/ y}}}"), 0, NULL)),
	    "a pipe takes what its first table takes");
	asks("debug:inline:{k=v}", "k", "v");
	asks("debug:fail:x", "k", "(error)");
}

static void test_randmap(void)
{
	bool one = false, two = false, other = false;

	for (int i = 0; i < 200; i++) {
		const char *r = ask("randmap:{one, {t w o}}", "k");

		one |= strcmp(r, "one") == 0;
		two |= strcmp(r, "t w o") == 0;
		other |= strcmp(r, "one") != 0 && strcmp(r, "t w o") != 0;
	}
	ok(one && two && !other, "randmap gives each of its results");
	asks("randmap:{}", "k", "(error)");
	asks("randmap:x", "k", "(error)");
}

static void test_system(void)
{
	setenv("tabletest", "here", 1);
	asks("environ:x", "tabletest", "here");
	asks("environ:x", "tabletest_not", "(none)");
	ok(strncmp(ask("unix:passwd.byname", "ROOT"), "root:", 5) == 0, "passwd, key folded");
	ok(strncmp(ask("unix:group.byname", "root"), "root:", 5) == 0, "group");
	asks("unix:passwd.byname", "no-such-user-here", "(none)");
	asks("unix:other", "x", "(error)");
}

static void test_internal(void)
{
	struct table *t = table_open(STR("internal:x"), TABLE_FOLD | TABLE_WRITE, NULL);
	struct buf k = {0}, v = {0};
	char key[20];
	int seen = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "Key%d", i);
		table_put(t, str_of(key), STR("v"), NULL);
	}
	is_int(table_get(t, STR("kEY7"), &v, NULL), TABLE_FOUND, "what was put is found");
	for (bool first = true; table_next(t, first, &k, &v, NULL) == TABLE_FOUND; first = false) {
		seen++;
		table_delete(t, buf_view(&k), NULL);
	}
	is_int(seen, 100, "a walk that deletes what it sees sees everything");
	is_int(table_delete(t, STR("key7"), NULL), 1, "deleting what is not there");
	ok(table_put(table_open(STR("internal:x"), 0, NULL), STR("a"), STR("b"), NULL) < 0,
	    "no writing without TABLE_WRITE");
	ok(table_put(table_open(STR("static:x"), TABLE_WRITE, NULL), STR("a"), STR("b"), NULL) < 0,
	    "no writing where a type cannot");
	buf_free(&k);
	buf_free(&v);
}

static void test_utf8(void)
{
	struct err err = {0};
	struct buf v = {0};
	struct table *t = table_open(STR("inline:{\xc3\xa4=v}"), TABLE_FOLD | TABLE_UTF8, &err);

	is_int(table_get(t, STR("\xc3\x84"), &v, &err), TABLE_FOUND,
	    "letters beyond ASCII are folded");
	is_int(table_get(t, STR("\xff"), &v, &err), TABLE_NONE,
	    "a key that is not UTF-8 is in no table");
	t = table_open(STR("static:\xff"), TABLE_UTF8, &err);
	is_int(
	    table_get(t, STR("x"), &v, &err), TABLE_ERROR, "a value that is not UTF-8 is an error");
	t = table_open(STR("static:\xff"), 0, &err);
	is_int(table_get(t, STR("x"), &v, &err), TABLE_FOUND, "but not without smtputf8");
	buf_free(&v);
}

static void test_texthash(void)
{
	asks("texthash:later", "k", "(error)");
	spew("th", "# c\n  lost\nKey one\n two\n\n \t\n  # more\n three\n\"a b\" q\nkey "
		   "dup\nlonely\n\"x y\nlast v");
	asks("texthash:th", "KEY", "one two three");
	asks("texthash:th", "\"a b\"", "q");
	asks("texthash:th", "lonely", "(none)");
	asks("texthash:th", "last", "v");
	asks("texthash:th", "lost", "(none)");
	respew("th", "key changed\n");
	ok(becomes("texthash:th", "key", "changed"), "a changed file is seen");
	spew("later", "k v\n");
	ok(becomes("texthash:later", "k", "v"), "so is one that was not there");
	spew("crlf", "a b\r\nc d\r\n\r\ne f\r\n");
	asks("texthash:crlf", "c", "d");
	spew("empty", "");
	asks("texthash:empty", "c", "(none)");
	asks("texthash:/etc", "c", "(error)");
}

static void test_huge_line(void)
{
	FILE *f = fopen("huge", "w");

	fputs("k ", f);
	for (int i = 0; i < 5 * 1024 * 1024; i++)
		putc('x', f);
	fclose(f);
	asks("texthash:huge", "k", "(error)");
	spew("huge2", "k v\n");
	asks("texthash:huge2", "k", "v");
	if (rename("huge", "huge2") != 0)
		abort();
	co_sleep(1100);
	asks("texthash:huge2", "k", "v"); /* what cannot be loaded leaves the old content */
}

static void test_maps(void)
{
	struct maps *m =
	    maps_open("test_maps", "inline:{a=1}, regexp:{{/b/ 2}} inline:{b=3, e=}", TABLE_FOLD);
	struct err err = {0};
	struct buf v = {0};

	is_int((long long)maps_count(m), 3, "three tables");
	is_int(maps_get(m, STR("b"), &v, &err), TABLE_FOUND, "found");
	is_cstr(buf_text(&v), "2", "in the first that has it");
	is_int(maps_get_partial(m, STR("b"), &v, &err), TABLE_FOUND, "found as a partial key");
	is_cstr(buf_text(&v), "3", "without patterns");
	is_int(maps_get(m, STR("e"), &v, &err), TABLE_ERROR, "an empty result is an error");
	is_int(maps_get(m, STR(""), &v, &err), TABLE_NONE, "nothing is no key");
	maps_close(m);
	m = maps_open("test_maps", "inline:{a=1} fail:x", 0);
	is_int(maps_get(m, STR("a"), &v, &err), TABLE_FOUND, "found before the failing one");
	is_int(maps_get(m, STR("b"), &v, &err), TABLE_ERROR, "the failing one");
	ok(strstr(err.text, "fail:x lookup error for \"b\"") != NULL, err.text);
	maps_close(m);
	m = maps_open("x", " , ", 0);
	ok(maps_empty(m), "an empty list");
	maps_close(m);
	buf_free(&v);
}

static void run(void *arg)
{
	(void)arg;
	test_inline();
	test_static();
	test_stacked();
	test_randmap();
	test_system();
	test_internal();
	test_utf8();
	test_texthash();
	test_huge_line();
	test_maps();
}

int main(void)
{
	return table_tests(run, "");
}
