/* Case of keys, and whether bytes are UTF-8. */
#include "base/mem.h"
#include "table/type.h"
#include <locale.h>
#include <wctype.h>

/* Takes one code point (RFC 3629) off s; -1 when the bytes are none. */
static int32_t take_utf8(str *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;
	static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	int32_t c;

	if (n == 0 || n > s->n)
		return -1;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*s = str_from(*s, n);
	return c;
}

bool table_utf8_valid(str s)
{
	while (s.n)
		if (take_utf8(&s) < 0)
			return false;
	return true;
}

static void put_utf8(struct buf *out, int32_t c)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_char(out, (char)(0xe0 | c >> 12));
		} else {
			buf_char(out, (char)(0xf0 | c >> 18));
			buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_char(out, (char)(0x80 | (c & 0x3f)));
}

void table_show_bytes(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n && i < 200; i++)
		buf_char(out, s.p[i] < ' ' || s.p[i] > '~' ? '?' : s.p[i]);
}

void table_fold(struct buf *out, str key, bool utf8)
{
	static locale_t locale;

	if (!utf8 || str_is_ascii(key) || !table_utf8_valid(key)) {
		buf_lower(out, key);
		return;
	}
	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	while (key.n) {
		int32_t c = take_utf8(&key);

		if (c < 0x80)
			c = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
		else if (locale)
			c = (int32_t)towlower_l((wint_t)c, locale);
		put_utf8(out, c);
	}
}
