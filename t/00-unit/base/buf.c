#include "base/buf.h"
#include "../../lib/tap.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/names.h"

static void buffers(void)
{
	struct buf b = {0};

	is_cstr(buf_text(&b), "", "an empty buffer has a text");
	is_str(buf_view(&b), STR(""), "and a view");
	buf_clear(&b);
	buf_cut(&b, 5);
	buf_drop(&b, 5);
	buf_add(&b, NULL, 0);
	is_int(b.n, 0, "nothing is nothing");
	buf_cstr(&b, "abc");
	buf_char(&b, 'd');
	buf_str(&b, STR("ef"));
	buf_lower(&b, STR("GH\xc4"));
	is_cstr(buf_text(&b), "abcdefgh\xc4", "appending");
	buf_cut(&b, 6);
	buf_drop(&b, 2);
	is_cstr(buf_text(&b), "cdef", "cutting and dropping");
	buf_printf(&b, "%d-%s", 42, "x");
	is_cstr(buf_text(&b), "cdef42-x", "printing");
	buf_clear(&b);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%04d", i);
	is_int(b.n, 4000, "printing much");
	ok(memcmp(b.p + 3996, "0999", 5) == 0, "with a NUL behind it");
	memcpy(buf_room(&b, 5000), "xyz", 3);
	buf_added(&b, 3);
	is_int(b.n, 4003, "room");
	buf_clear(&b);
	buf_escape(&b, str_mem("a\r\n\t\\\0\x7f\xff~", 9), 100);
	is_cstr(buf_text(&b), "a\\r\\n\\t\\\\\\000\\177\\377~", "escapes");
	buf_clear(&b);
	buf_escape(&b, STR("abcdef"), 3);
	is_cstr(buf_text(&b), "abc...", "escapes, shortened");
	buf_free(&b);
	ok(!b.p && !b.cap, "free");
	buf_quoted(&b, STR("a \"b\\"));
	is_str(buf_view(&b), STR("\"a \\\"b\\\\\""), "a quoted-string");
	buf_free(&b);
}

static void arenas(void)
{
	struct arena a = {0};
	char *p[300], *big;
	bool good = true;

	for (int i = 0; i < 300; i++) {
		p[i] = arena_alloc(&a, (size_t)i);
		memset(p[i], i & 255, (size_t)i);
		good = good && ((uintptr_t)p[i] & 15) == 0;
	}
	big = arena_zero(&a, 1000000);
	for (int i = 0; i < 300; i++)
		for (int k = 0; k < i; k++)
			good = good && p[i][k] == (char)(i & 255);
	ok(good, "pieces are aligned and apart");
	ok(big[0] == 0 && big[999999] == 0, "a large zeroed piece");
	is_int(a.total, 300 * 299 / 2 + 1000000, "the total");
	is_cstr(arena_printf(&a, "%s %d", "x", 5), "x 5", "printing");
	is_int(strlen(arena_printf(&a, "%1000d", 5)), 1000, "printing much");
	is_str(arena_str(&a, STR("slice")), STR("slice"), "a slice");
	is_cstr(arena_cstr(&a, str_mem("text!", 4)), "text", "a text");
	arena_reset(&a);
	is_int(a.total, 0, "reset");
	ok(a.blocks, "one block is kept");
	memset(arena_alloc(&a, 100), 1, 100);
	arena_free(&a);
	ok(!a.blocks, "free");
	big = arena_alloc(&a, 100000);
	big[99999] = 1;
	arena_reset(&a);
	ok(!a.blocks, "a large first block is not kept");
	arena_free(&a);
}

static void errors(void)
{
	struct err e = {0};
	char longish[1000];

	memset(longish, 'x', sizeof(longish));
	longish[999] = 0;
	is_int(err_set(&e, "bad %s", "th\ning"), -1, "an error is -1");
	is_cstr(e.text, "bad th?ing", "one line");
	is_int(e.code, 0, "no errno");
	err_errno(&e, 2, "open %s", "/x");
	is_cstr(e.text, "open /x: No such file or directory", "errno's text");
	is_int(e.code, 2, "errno");
	err_prefix(&e, "%s(%d)", "main.cf", 3);
	is_cstr(e.text, "main.cf(3): open /x: No such file or directory", "prefix");
	is_int(e.code, 2, "keeps errno");
	err_errno(&e, 2, "%s", longish);
	is_int(strlen(e.text), ERR_TEXT_SIZE - 1, "long texts are cut");
	err_prefix(&e, "%s", longish);
	is_int(err_set(NULL, "x"), -1, "nobody asks");
	is_int(err_errno(NULL, 1, "x"), -1, "nor here");
	is_int(err_prefix(NULL, "x"), -1, "nor here");
}

static void names(void)
{
	static const struct name_row table[] = {{"one", 1}, {"two", 2}, {"four", 4}, {NULL, 0}};
	struct err e;
	uint64_t mask;

	is_int(names_value(table, STR("TWO"), -1), 2, "value");
	is_int(names_value(table, STR("tw"), -1), -1, "fallback");
	is_cstr(names_name(table, 4), "four", "name");
	ok(!names_name(table, 3), "no name");
	is_int(names_mask(table, STR(" one, four\n"), &mask, &e), 0, "a mask");
	is_int(mask, 5, "its bits");
	is_int(names_mask(table, STR("one five"), &mask, &e), -1, "an unknown name");
	ok(strstr(e.text, "five"), "is named");
}

int main(void)
{
	buffers();
	arenas();
	errors();
	names();
	return done();
}
