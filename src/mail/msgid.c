#include "mail/msgid.h"

#include "mail/addr.h"
#include "mail/hdraddr.h"

#define WORD_MAX 75 /* RFC 2047 2 */

void msgid_put(struct buf *out, time_t when, str queue_id, str myhostname)
{
	struct tm tm;
	char stamp[32];

	gmtime_r(&when, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
	buf_printf(out, "<%s.%.*s@%.*s>", stamp, STR_FMT(queue_id), STR_FMT(myhostname));
}

/* Bytes of s that must stay together in one encoded word: a whole UTF-8 character. */
static size_t char_length(str s)
{
	size_t n = 1;

	if ((unsigned char)s.p[0] >= 0xc0)
		while (n < s.n && n < 4 && (s.p[n] & 0xc0) == 0x80)
			n++;
	return n;
}

/* RFC 2047 5 (3): what may stand for itself in the Q encoding of a phrase */
static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!*+-/", c));
}

static void put_q(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ')
			buf_char(out, '_');
		else if (is_plain(s.p[i]))
			buf_char(out, s.p[i]);
		else
			buf_printf(out, "=%02X", (unsigned char)s.p[i]);
	}
}

static void put_encoded(struct buf *out, str name, str charset)
{
	struct buf piece = {0};
	size_t used = 0, fixed = charset.n + 7;

	while (name.n) {
		str one = str_head(name, char_length(name));

		buf_clear(&piece);
		put_q(&piece, one);
		if (used && used + piece.n + 2 > WORD_MAX) {
			buf_cstr(out, "?=\n\t");
			used = 0;
		}
		if (used == 0) {
			buf_printf(out, "=?%.*s?Q?", STR_FMT(charset));
			used = fixed;
		}
		buf_str(out, buf_view(&piece));
		used += piece.n;
		name = str_from(name, one.n);
	}
	buf_cstr(out, "?=");
	buf_free(&piece);
}

static void put_clean_name(struct buf *out, str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		buf_char(out, c < ' ' || c == 127 ? ' ' : (char)c);
	}
}

void from_put(struct buf *out, bool resent, str full_name, str address, bool obsolete, str charset)
{
	struct buf name = {0};
	bool encode;

	put_clean_name(&name, full_name);
	full_name = str_trim(buf_view(&name));
	encode = charset.n && charset.n < 40 && !str_is_ascii(full_name);
	buf_cstr(out, resent ? "Resent-From: " : "From: ");
	if (full_name.n && !obsolete) {
		if (encode)
			put_encoded(out, full_name, charset);
		else
			hdraddr_phrase(out, full_name);
		buf_cstr(out, " <");
	}
	addr_quote(out, address);
	if (full_name.n && !obsolete)
		buf_char(out, '>');
	if (full_name.n && obsolete) {
		buf_cstr(out, " (");
		if (encode)
			put_encoded(out, full_name, charset);
		else
			hdraddr_comment(out, full_name);
		buf_char(out, ')');
	}
	buf_free(&name);
}
