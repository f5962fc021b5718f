/* Domains of addresses: syntax, literals, internationalised names, case. */
#include "base/hostaddr.h"
#include "mail/addr.h"

#include <idn2.h>
#include <stdlib.h>

#define DOMAIN_MAX 1020 /* 255 characters of four bytes each */

/* RFC 3629 4. Length of the character at the start of s, 0 when it is malformed. */
static size_t utf8_char(str s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	*code = n == 1 ? c : c & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s.p[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

bool utf8_valid(str s)
{
	uint32_t code;

	while (s.n) {
		size_t n = utf8_char(s, &code);

		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}

/* RFC 5321 4.1.3: "[" IPv4 / "IPv6:" IPv6 "]" */
bool addr_literal(str domain, str *ip)
{
	str text;

	if (domain.n < 4 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	text = (str){domain.p + 1, domain.n - 2};
	if (str_starts_nocase(text, STR("IPv6:"))) {
		text = str_from(text, 5);
		if (str_chr(text, ':') < 0)
			return false;
	} else if (str_chr(text, ':') >= 0) {
		return false;
	}
	if (!hostaddr_is_numeric(text))
		return false;
	*ip = text;
	return true;
}

/* An xn-- label must decode. */
static bool has_bad_a_label(str domain)
{
	struct buf lower = {0}, out = {0};
	bool bad;

	buf_lower(&lower, domain);
	bad = str_find(buf_view(&lower), STR("xn--")) >= 0 &&
	      !addr_domain_to_unicode(&out, buf_view(&lower));
	buf_free(&lower);
	buf_free(&out);
	return bad;
}

bool addr_domain_valid(str domain, bool utf8)
{
	struct buf ascii = {0};
	str ip;
	bool good;

	if (domain.n && domain.p[0] == '[')
		return addr_literal(domain, &ip);
	if (domain.n && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (str_is_ascii(domain))
		return hostname_valid(domain, NULL) && !has_bad_a_label(domain);
	if (!utf8)
		return false;
	good = addr_domain_to_ascii(&ascii, domain) && hostname_valid(buf_view(&ascii), NULL);
	buf_free(&ascii);
	return good;
}

bool addr_domain_to_ascii(struct buf *out, str domain)
{
	char *name, *ascii = NULL;
	int rc;

	if (str_is_ascii(domain)) {
		buf_lower(out, domain);
		return true;
	}
	if (domain.n > DOMAIN_MAX || memchr(domain.p, 0, domain.n) || !utf8_valid(domain))
		return false;
	name = str_dup(domain);
	rc = idn2_lookup_u8(
	    (const uint8_t *)name, (uint8_t **)&ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	free(name);
	if (rc != IDN2_OK)
		return false;
	buf_cstr(out, ascii);
	idn2_free(ascii);
	return true;
}

bool addr_domain_to_unicode(struct buf *out, str domain)
{
	char *name, *text = NULL;
	int rc;

	if (domain.n > DOMAIN_MAX || memchr(domain.p, 0, domain.n))
		return false;
	name = str_dup(domain);
	rc = idn2_to_unicode_8z8z(name, &text, IDN2_NONTRANSITIONAL);
	free(name);
	if (rc != IDN2_OK)
		return false;
	buf_cstr(out, text);
	idn2_free(text);
	return true;
}

bool addr_to_ascii_domain(struct buf *out, str address)
{
	str local, domain;
	size_t start = out->n;

	addr_split(address, &local, &domain);
	if (str_is_ascii(domain)) {
		buf_str(out, address);
		return true;
	}
	buf_str(out, local);
	buf_char(out, '@');
	if (addr_domain_to_ascii(out, domain))
		return true;
	buf_cut(out, start);
	return false;
}

/* Simple lower case of the alphabets that mail meets: Latin, Greek, Cyrillic, Armenian. */
static uint32_t lower_code(uint32_t c)
{
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3ab && c != 0x3a2) ||
	    (c >= 0x410 && c <= 0x42f))
		return c + 32;
	if (c >= 0x400 && c <= 0x40f)
		return c + 80;
	if (c >= 0x531 && c <= 0x556)
		return c + 48;
	if ((c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) ||
	    (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
	    (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) ||
	    (c >= 0x1e00 && c <= 0x1e95) || (c >= 0x1ea0 && c <= 0x1eff))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) || (c >= 0x4c1 && c <= 0x4ce))
		return c + (c & 1);
	return c == 0x178 ? 0xff : c;
}

static void put_code(struct buf *out, uint32_t c)
{
	if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
	} else {
		buf_char(out, (char)(0xe0 | c >> 12));
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_char(out, (char)(0x80 | (c & 0x3f)));
}

void addr_fold(struct buf *out, str address, bool utf8)
{
	if (!utf8 || str_is_ascii(address) || !utf8_valid(address)) {
		buf_lower(out, address);
		return;
	}
	while (address.n) {
		uint32_t code = 0;
		size_t n = utf8_char(address, &code);

		if (n == 1)
			buf_lower(out, str_head(address, 1));
		else if (lower_code(code) == code)
			buf_str(out, str_head(address, n));
		else
			put_code(out, lower_code(code));
		address = str_from(address, n);
	}
}
