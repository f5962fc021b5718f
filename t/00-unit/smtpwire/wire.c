#include "smtpwire/wire.h"

#include "../../lib/tap.h"

/* A slice of a literal that holds NULs too. */
#define B(literal)                                                                                 \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}

static const struct {
	str in, strict, loose; /* .p NULL: no end was found */
	size_t strict_used, loose_used;
	bool bare_lf;
} cases[] = {
    {B("a\r\n.\r\nNOOP\r\n"), B("a\r\n"), B("a\r\n"), 6, 6, false},
    {B(".\r\n"), B(""), B(""), 3, 3, false},
    {B("\r\n.\r\n"), B("\r\n"), B("\r\n"), 5, 5, false},
    {B("a\r\n..\r\n..b\r\n.c\r\n.\r\n"), B("a\r\n..\r\n..b\r\nc\r\n"), B("a\r\n..\r\n..b\r\nc\r\n"),
	19, 19, false},
    {B("a\r\n.\r.\r\n.\r\n"), B("a\r\n\r.\r\n"), B("a\r\n\r.\r\n"), 11, 11, false},
    {B("q\n.\r\nZ\r\n.\r\n"), B("q\r\nZ\r\n"), B("q\r\n"), 11, 5, true},
    {B("q\r\n.\nZ\r\n.\r\n"), B("q\r\nZ\r\n"), B("q\r\n"), 11, 5, true},
    {B("q\n.\nZ\r\n.\r\n"), B("q\r\nZ\r\n"), B("q\r\n"), 10, 4, true},
    {B("q\r\n.\rZ\r\n.\r\n"), B("q\r\n\rZ\r\n"), B("q\r\n\rZ\r\n"), 11, 11, false},
    {B("q\r\n.\r\r\nZ\r\n.\r\n"), B("q\r\n\r\r\nZ\r\n"), B("q\r\n"), 13, 7, false},
    {B("q\r.\r\nZ\r\n.\r\n"), B("q\r.\r\nZ\r\n"), B("q\r.\r\nZ\r\n"), 11, 11, false},
    {B("q\r\r\n.\r\nZ\r\n.\r\n"), B("q\r\r\n"), B("q\r\n"), 7, 7, false},
    {B("a\r\rb\r\n.\r\n"), B("a\r\rb\r\n"), B("a\r\rb\r\n"), 9, 9, false},
    {B("a\n\rb\n.\r\n.\r\n"), B("a\r\n\rb\r\n"), B("a\r\n\rb\r\n"), 11, 8, true},
    {B("a\nb\n\n..c\n.d\r\n.\r\n"), B("a\r\nb\r\n\r\n..c\r\nd\r\n"),
	B("a\r\nb\r\n\r\n..c\r\nd\r\n"), 16, 16, true},
    {B("\n.\n.\r\n.\r\n"), B("\r\n"), B("\r\n"), 9, 3, true},
    {B("a\0b\r\n\xff\r\n.\r\n"), B("a\0b\r\n\xff\r\n"), B("a\0b\r\n\xff\r\n"), 11, 11, false},
    {B("From x y\r\nS: x\r\n.\r\n"), B("X-Mailbox-Line: From x y\r\nS: x\r\n"),
	B("X-Mailbox-Line: From x y\r\nS: x\r\n"), 19, 19, false},
    {B(">From x\r\nFrom y\r\nFrom: z\r\nFrom z\r\n.\r\n"),
	B("X-Mailbox-Line: >From x\r\nX-Mailbox-Line: From y\r\nFrom: z\r\nFrom z\r\n"),
	B("X-Mailbox-Line: >From x\r\nX-Mailbox-Line: From y\r\nFrom: z\r\nFrom z\r\n"), 37, 37,
	false},
    {B("From\tx\r\n.\r\n"), B("From\tx\r\n"), B("From\tx\r\n"), 11, 11, false},
    {B(">>>>>>>>>>>>From x\r\n.\r\n"), B(">>>>>>>>>>>>From x\r\n"), B(">>>>>>>>>>>>From x\r\n"), 23,
	23, false},
    {B("Fro\r\n.\r\n"), B("Fro\r\n"), B("Fro\r\n"), 8, 8, false},
    {B("From \r\n.\r\n"), B("X-Mailbox-Line: From \r\n"), B("X-Mailbox-Line: From \r\n"), 10, 10,
	false},
};

/* Feeds in pieces of at most n bytes. */
static bool feed(struct wire_in *w, str in, size_t n, struct buf *out, size_t *used)
{
	*used = 0;
	while (in.n) {
		size_t took;
		enum wire_state state = wire_in_feed(w, str_head(in, n), out, &took);

		*used += took;
		if (state == WIRE_END)
			return true;
		if (took != str_head(in, n).n)
			return false;
		in = str_from(in, took);
	}
	return false;
}

/* What facts of the output must say of its size. */
static uint64_t counted(str wire)
{
	struct wire_facts f = {0};

	wire_facts_feed(&f, wire);
	return f.size;
}

static void check_case(size_t i, enum wire_newline mode, str want, size_t want_used)
{
	struct buf out = {0};
	struct wire_in w;
	size_t used, bad = 0, first_bad = 0;
	char what[80];

	snprintf(what, sizeof what, "case %zu mode %d", i, mode);
	for (size_t n = 1; n <= cases[i].in.n; n++) {
		bool ended;

		buf_clear(&out);
		wire_in_start(&w, mode, 0);
		ended = feed(&w, cases[i].in, n, &out, &used);
		if (ended && used == want_used && str_eq(buf_view(&out), want) &&
		    w.size == counted(want))
			continue;
		if (bad++ == 0) {
			first_bad = n;
			is_str(buf_view(&out), want, what);
			is_int(used, want_used, "used");
			is_int(w.size, counted(want), "size");
		}
	}
	is_int(bad, 0, what);
	if (bad)
		printf("# first with pieces of %zu\n", first_bad);
	if (mode == WIRE_STRICT_END)
		ok(w.bare_lf == cases[i].bare_lf, "bare LF noticed");
	buf_free(&out);
}

static void test_in(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_case(i, WIRE_STRICT_END, cases[i].strict, cases[i].strict_used);
		check_case(i, WIRE_BARE_LF_ENDS, cases[i].loose, cases[i].loose_used);
	}
}

/* Every message of up to five bytes of this alphabet, behind the data's start: whole, or byte by
 * byte, it comes to the same, and nothing in it could end the data for the next server. */
static bool is_canonical(str wire)
{
	size_t start = 0;

	for (size_t i = 0; i < wire.n; i++) {
		if (wire.p[i] != '\n')
			continue;
		if (i == start || wire.p[i - 1] != '\r')
			return false;
		if (wire.p[start] == '.' && wire.p[start + 1] != '.')
			return false;
		start = i + 1;
	}
	return start == wire.n;
}

static void test_all_short(void)
{
	static const char alphabet[] = "\r\n.aF";
	struct buf a = {0}, b = {0};
	size_t bad = 0;

	for (int mode = 0; mode < 2; mode++)
		for (unsigned code = 0; code < 5 * 5 * 5 * 5 * 5 * 5 * 5; code++) {
			char text[16];
			unsigned rest = code;
			size_t used[2];
			struct wire_in w, v;
			bool same;

			for (size_t i = 0; i < 7; i++, rest /= 5)
				text[i] = alphabet[rest % 5];
			memcpy(text + 7, "\r\n.\r\n", 5);
			buf_clear(&a);
			buf_clear(&b);
			wire_in_start(&w, mode, 0);
			wire_in_start(&v, mode, 0);
			same = feed(&w, str_mem(text, 12), 12, &a, &used[0]) &&
			       feed(&v, str_mem(text, 12), 1, &b, &used[1]);
			if (!same || used[0] != used[1] || !str_eq(buf_view(&a), buf_view(&b)) ||
			    !is_canonical(buf_view(&a)) || w.size != v.size ||
			    w.size != counted(buf_view(&a)) || w.bare_lf != v.bare_lf)
				if (bad++ < 3)
					printf("# code %u mode %d\n", code, mode);
		}
	is_int(bad, 0, "every short content");
	buf_free(&a);
	buf_free(&b);
}

static void test_limit(void)
{
	struct buf out = {0}, in = {0};
	struct wire_in w;
	size_t used;

	for (int i = 0; i < 100; i++)
		buf_cstr(&in,
		    "0123456789012345678901234567890123456789012345678\r\n"); /* 51 bytes each */
	buf_cstr(&in, ".\r\n");
	wire_in_start(&w, WIRE_STRICT_END, 5100);
	ok(feed(&w, buf_view(&in), 4096, &out, &used), "at the limit");
	ok(!w.too_big, "is not too big");
	is_int(w.size, 5100, "size counts CRLF ends");
	buf_clear(&out);
	wire_in_start(&w, WIRE_STRICT_END, 1000);
	ok(feed(&w, buf_view(&in), 100, &out, &used), "beyond the limit the end is still found");
	ok(w.too_big && out.n < 1300, "and what is too big is not kept");
	buf_clear(&out);
	wire_in_start(&w, WIRE_STRICT_END, 4999);
	feed(&w, buf_view(&in), 4096, &out, &used);
	ok(w.too_big, "one byte too many");
	buf_free(&out);
	buf_free(&in);
}

static void test_many_crs(void)
{
	struct buf in = {0}, out = {0};
	struct wire_in w;
	size_t used;

	for (int i = 0; i < 1000; i++)
		buf_char(&in, '\r');
	buf_cstr(&in, "\n.\r\n");
	for (size_t n = 1; n < 1004; n += 250) {
		buf_clear(&out);
		wire_in_start(&w, WIRE_STRICT_END, 0);
		ok(feed(&w, buf_view(&in), n, &out, &used), "a thousand CRs");
		is_int(out.n, 1001, "all but the last are content");
	}
	buf_free(&in);
	buf_free(&out);
}

static const struct {
	str in, out;
	bool bare_lf;
} stuffs[] = {
    {B(""), B(""), false},
    {B("a"), B("a\r\n"), false},
    {B("a\r"), B("a\r\n"), false},
    {B("a\r\n"), B("a\r\n"), false},
    {B("a\n.\n..b\n"), B("a\r\n..\r\n...b\r\n"), true},
    {B(".one\r\ntwo\r\n"), B("..one\r\ntwo\r\n"), false},
    {B("a\rb\r\r\n\r\n"), B("a\rb\r\r\n\r\n"), false},
    {B("\n\n"), B("\r\n\r\n"), true},
    {B("."), B("..\r\n"), false},
    {B("From x\nFrom"), B("X-Mailbox-Line: From x\r\nFrom\r\n"), true},
};

static void test_stuff(void)
{
	struct buf out = {0}, back = {0};

	for (size_t i = 0; i < sizeof stuffs / sizeof stuffs[0]; i++)
		for (size_t n = 1; n <= stuffs[i].in.n + 1; n++) {
			struct wire_stuff s = {.lead.on = true};
			str in = stuffs[i].in;

			buf_clear(&out);
			for (; in.n; in = str_from(in, n))
				wire_stuff_feed(&s, str_head(in, n), &out);
			wire_stuff_end(&s, &out);
			is_str(buf_view(&out), stuffs[i].out, "stuffed");
			ok(s.bare_lf == stuffs[i].bare_lf, "bare LF");
			is_int(s.size, counted(stuffs[i].out), "size");
		}
	for (size_t n = 1; n < 12; n++) {
		struct wire_unstuff u = {.lf = true};
		str in = STR("..a\r\n.\r\r\nb\rc\r\n");

		buf_clear(&back);
		for (; in.n; in = str_from(in, n))
			wire_unstuff_feed(&u, str_head(in, n), &back);
		is_str(buf_view(&back), STR(".a\n\r\nb\rc\n"), "unstuffed");
	}
	buf_clear(&out);
	wire_line(&out, STR(".x"));
	wire_line(&out, STR(""));
	is_str(buf_view(&out), STR("..x\r\n\r\n"), "single lines");
	buf_free(&out);
	buf_free(&back);
}

static void test_facts(void)
{
	str wire = {"..ab\r\n\r\nlonger line\r\nx\ry\r\n", 26}, in;

	for (size_t n = 1; n <= wire.n; n++) {
		struct wire_facts f = {0};

		for (in = wire; in.n; in = str_from(in, n))
			wire_facts_feed(&f, str_head(in, n));
		if (f.size != 26 - 1 || f.lines != 4 || f.max_line != 11 || !f.stray_cr || f.nul ||
		    f.eight_bit)
			is_int(n, 0, "pieces that count wrong");
	}
	struct wire_facts f = {0}, g = {0};
	wire_facts_feed(&f, STR("a\0\r\n"));
	wire_facts_feed(&g, STR("0123456789\xc3\xbc\r\n"));
	ok(f.nul && !f.eight_bit && !f.stray_cr, "NUL");
	ok(g.eight_bit && !g.nul, "8 bit");
	wire_facts_add(&f, &g);
	ok(f.eight_bit && f.nul && f.max_line == 12 && f.lines == 2 && f.size == 18, "added");
}

/* A stray character at every place of a piece that is longer than a step of the scan. */
static void test_scan(void)
{
	static char text[2500];
	bool good = true;
	struct wire_scan s;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "abc\r\n"[i % 5];
	s = wire_scan(str_mem(text, sizeof(text)));
	ok(!s.eight_bit && !s.nul && !s.stray_cr, "nothing unusual");
	s = wire_scan(str_mem(text, sizeof(text) - 1));
	ok(s.stray_cr, "a CR at the end may be a stray one");
	s = wire_scan(STR(""));
	ok(!s.eight_bit && !s.nul && !s.stray_cr, "an empty piece");
	for (size_t i = 0; i < sizeof(text); i++) {
		char old = text[i];

		if (old == '\r' || old == '\n')
			continue;
		text[i] = '\r';
		s = wire_scan(str_mem(text, sizeof(text)));
		good = good && s.stray_cr && !s.eight_bit && !s.nul;
		text[i] = '\0';
		s = wire_scan(str_mem(text, sizeof(text)));
		good = good && s.nul && !s.eight_bit && !s.stray_cr;
		text[i] = '\x80';
		s = wire_scan(str_mem(text, sizeof(text)));
		good = good && s.eight_bit && !s.nul && !s.stray_cr;
		text[i] = old;
	}
	ok(good, "anything unusual is seen wherever it is");
}

static void test_clean(void)
{
	static const struct {
		str in, out, strip;
		bool strays;
	} rows[] = {
	    {B("a\rb\r\n\rc\r\r\n"), B("a b\r\n c \r\n"), B(""), true},
	    {B("a\rb\r\n"), B("a\rb\r\n"), B(""), false},
	    {B("a\0b\r\n"), B("ab\r\n"), B("\\0"), false},
	    {B("\0.\r\n"), B("..\r\n"), B("\\0"), false},
	    {B("..\0\r\n..x\r\n"), B("..\r\n..x\r\n"), B("\\0"), false},
	    {B("\0\r\n"), B("\r\n"), B("\\0"), false},
	    {B("x\ry\r\n"), B("xy\r\n"), B("\\r"), false},
	    {B("a\001\002b\r\n"), B("ab\r\n"), B("\\1\\002"), false},
	};
	struct buf out = {0};
	bool set[256];
	char text[16];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t n = 1; n <= rows[i].in.n; n++) {
			struct wire_clean c = {.strays = rows[i].strays, .strip = set};
			str in = rows[i].in;

			snprintf(text, sizeof text, "%.*s", STR_FMT(rows[i].strip));
			ok(wire_char_set(text, set), "set");
			buf_clear(&out);
			for (; in.n; in = str_from(in, n))
				wire_clean_feed(&c, str_head(in, n), &out);
			wire_clean_end(&c, &out);
			is_str(buf_view(&out), rows[i].out, "cleaned");
		}
	ok(!wire_char_set("\\q", set), "bad escape");
	ok(!wire_char_set("\\", set), "lone backslash");
	ok(!wire_char_set("\\777", set), "octal number too large");
	buf_free(&out);
}

static void test_fold(void)
{
	struct buf out = {0};
	str wire = STR("..12345678\r\n0123456789abc\r\n0123456789\r\nx\r01234567890\r\n");

	for (size_t n = 1; n <= wire.n; n++) {
		struct wire_fold f = {.limit = 10};
		str in = wire;

		buf_clear(&out);
		for (; in.n; in = str_from(in, n))
			wire_fold_feed(&f, str_head(in, n), &out);
		wire_fold_end(&f, &out);
		is_str(buf_view(&out),
		    STR("..12345678\r\n0123456789\r\n abc\r\n0123456789\r\nx\r01234567\r\n "
			"890\r\n"),
		    "folded");
	}
	buf_free(&out);
}

int main(void)
{
	test_in();
	test_all_short();
	test_limit();
	test_many_crs();
	test_stuff();
	test_facts();
	test_scan();
	test_clean();
	test_fold();
	return done();
}
