#include "mail/dsn.h"

#include "base/mem.h"
#include "base/names.h"

static const struct name_row notify_names[] = {
    {"NEVER", DSN_NOTIFY_NEVER},
    {"SUCCESS", DSN_NOTIFY_SUCCESS},
    {"FAILURE", DSN_NOTIFY_FAILURE},
    {"DELAY", DSN_NOTIFY_DELAY},
    {NULL, 0},
};

static size_t digits(str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
		n++;
	return n;
}

/* RFC 3463 2: status-code = class "." subject "." detail, one digit and twice one to three */
size_t dsn_valid(str text)
{
	size_t subject, detail, n;

	if (text.n < 5 || (text.p[0] != '2' && text.p[0] != '4' && text.p[0] != '5') ||
	    text.p[1] != '.')
		return 0;
	subject = digits(text, 2);
	if (subject < 1 || subject > 3 || 2 + subject >= text.n || text.p[2 + subject] != '.')
		return 0;
	detail = digits(text, 3 + subject);
	if (detail < 1 || detail > 3)
		return 0;
	n = 3 + subject + detail;
	if (n < text.n && text.p[n] != ' ' && text.p[n] != '\t' && text.p[n] != '\r' &&
	    text.p[n] != '\n')
		return 0;
	return n;
}

/* RFC 3461 4.1: "NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY") */
bool dsn_parse_notify(str value, uint32_t *notify)
{
	str word;
	uint32_t bits = 0;
	int64_t bit;

	while (str_word(&value, ",", &word)) {
		bit = names_value(notify_names, word, 0);
		if (bit == 0)
			return false;
		bits |= (uint32_t)bit;
	}
	if ((bits & DSN_NOTIFY_NEVER) && bits != DSN_NOTIFY_NEVER)
		return false;
	*notify = bits;
	return bits != 0;
}

void dsn_print_notify(struct buf *out, uint32_t notify)
{
	size_t start = out->n;

	for (const struct name_row *row = notify_names; row->name; row++)
		if (notify & (uint32_t)row->value) {
			if (out->n > start)
				buf_char(out, ',');
			buf_cstr(out, row->name);
		}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* RFC 3461 4: xtext = *( xchar / hexchar ), xchar = %x21-7E except "+" and "=". A "=" passes all
 * the same, and bytes over 127, as RFC 6533 has them. */
bool xtext_decode(struct buf *out, str xtext)
{
	for (size_t i = 0; i < xtext.n; i++) {
		unsigned char c = (unsigned char)xtext.p[i];

		if (c == '+') {
			int high = i + 1 < xtext.n ? hex_value(xtext.p[i + 1]) : -1;
			int low = i + 2 < xtext.n ? hex_value(xtext.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			buf_char(out, (char)(high << 4 | low));
			i += 2;
		} else if (c <= ' ' || c == 127) {
			return false;
		} else {
			buf_char(out, (char)c);
		}
	}
	return true;
}

void xtext_encode(struct buf *out, str text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c <= ' ' || c >= 127 || c == '+' || c == '=') {
			buf_char(out, '+');
			buf_char(out, hex[c >> 4]);
			buf_char(out, hex[c & 15]);
		} else {
			buf_char(out, (char)c);
		}
	}
}

/* RFC 3461 4.2: original-recipient-address = addr-type ";" xtext, addr-type = atom */
bool orcpt_valid(str value)
{
	ptrdiff_t semi = str_chr(value, ';');
	struct buf scratch = {0};
	bool good;

	if (semi <= 0)
		return false;
	for (ptrdiff_t i = 0; i < semi; i++) {
		char c = value.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("!#$%&'*-/?^_`{|}~.", c))))
			return false;
	}
	good = xtext_decode(&scratch, str_from(value, (size_t)semi + 1));
	buf_free(&scratch);
	return good;
}
