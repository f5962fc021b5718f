/* DNS lists: the argument "domain=d.d.d.d" and its patterns. */
// with: src/smtpd/dnsbl.c
#include "smtpd/dnsbl.h"
#include "t/lib/tap.h"

static struct arena arena;

static bool takes(const char *list, unsigned a, unsigned b, unsigned c, unsigned d)
{
	unsigned char addr[4] = {
	    (unsigned char)a, (unsigned char)b, (unsigned char)c, (unsigned char)d};
	struct err err = {0};
	const struct dnsbl *l = dnsbl_parse(&arena, str_of(list), &err);

	if (!l) {
		printf("# %s: %s\n", list, err.text);
		return false;
	}
	return dnsbl_takes(l, addr);
}

static void patterns(void)
{
	ok(takes("bl.test", 127, 0, 0, 2), "any address without a filter");
	ok(takes("bl.test=127.0.0.2", 127, 0, 0, 2), "an exact address");
	ok(!takes("bl.test=127.0.0.2", 127, 0, 0, 3), "another one");
	ok(takes("bl.test=127.0.[0..5].[1;4;8..9]", 127, 0, 5, 9), "end of ranges");
	ok(takes("bl.test=127.0.[0..5].[1;4;8..9]", 127, 0, 0, 4), "an alternative");
	ok(!takes("bl.test=127.0.[0..5].[1;4;8..9]", 127, 0, 6, 4), "beyond a range");
	ok(!takes("bl.test=127.0.[0..5].[1;4;8..9]", 127, 0, 5, 7), "between alternatives");
	ok(takes("bl.test=[0..255].[0..255].[0..255].[0..255]", 255, 255, 255, 255), "all");
}

static void malformed(void)
{
	static const char *const bad[] = {"", "=127.0.0.1", "bl..test", "bl.test=", "bl.test=1.2.3",
	    "bl.test=1.2.3.4.5", "bl.test=1.2.3.256", "bl.test=1.2.3.x", "bl.test=1.2.3.[",
	    "bl.test=1.2.3.[]", "bl.test=1.2.3.[1;]", "bl.test=1.2.3.[5..1]", "bl.test=1.2.3.[1..]",
	    "bl.test=1.2.3.1..2", "bl.test=1.2.3.[1", "bl.test=1.2.3.-1", "bl.test=1.2..3",
	    "bl.test=...", "bl.test=99999999999999999999.1.1.1", "bad domain=1.2.3.4"};
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!dnsbl_parse(&arena, str_of(bad[i]), &err), bad[i]);
}

int main(void)
{
	patterns();
	malformed();
	arena_free(&arena);
	return done();
}
