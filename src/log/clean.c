#include "log/log_int.h"

/* Length of the well-formed UTF-8 sequence at p (RFC 3629 4), 0 when there is none. C1 control
 * characters (U+0080 to U+009F) count as none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	unsigned min = 0x80, code;
	size_t len;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2, code = p[0] & 0x1f, min = 0xa0;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3, code = p[0] & 0x0f, min = 0x800;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4, code = p[0] & 0x07, min = 0x10000;
	else
		return 0;
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code >= min && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? len : 0;
}

void log_clean(struct buf *out, str text)
{
	const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
	char *to = buf_room(out, text.n), *start = to;

	while (p < end) {
		size_t len = 1;

		if (*p >= 0x20 && *p < 0x7f)
			*to++ = (char)*p;
		else if (*p >= 0x80 && (len = utf8_length(p, (size_t)(end - p))) > 0)
			to = (char *)memcpy(to, p, len) + len;
		else
			*to++ = '?', len = 1;
		p += len;
	}
	buf_added(out, (size_t)(to - start));
}
