#include "table/netproto.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void tcp_request(struct buf *out, str key)
{
	buf_cstr(out, "get ");
	for (size_t i = 0; i < key.n; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (c <= ' ' || c >= 127 || c == '%')
			buf_printf(out, "%%%02x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '\n');
}

/* False for a broken %XX. */
static bool decode(str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (text.p[i] != '%') {
			buf_char(out, text.p[i]);
			continue;
		}
		if (i + 2 >= text.n || (high = hex(text.p[i + 1])) < 0 ||
		    (low = hex(text.p[i + 2])) < 0)
			return false;
		buf_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

static enum table_result bad(struct err *err, const char *what, str text)
{
	struct buf shown = {0};

	buf_escape(&shown, text, 100);
	err_set(err, "%s: \"%s\"", what, buf_text(&shown));
	buf_free(&shown);
	return TABLE_ERROR;
}

enum table_result tcp_reply(str line, struct buf *value, struct err *err)
{
	str text;

	line = str_chomp(line);
	if (line.n < 4 || !str_is_digits(str_head(line, 3)) ||
	    (line.p[3] != ' ' && line.p[3] != '\t'))
		return bad(err, "read TCP map reply: malformed reply", line);
	text = str_trim(str_from(line, 4));
	if (str_starts(line, STR("500")))
		return TABLE_NONE;
	if (str_starts(line, STR("200"))) {
		size_t n = value->n;

		if (decode(text, value))
			return TABLE_FOUND;
		buf_cut(value, n);
		return bad(err, "read TCP map reply: malformed data", line);
	}
	if (str_starts(line, STR("400")))
		return bad(err, "server reported an error", text);
	return bad(err, "read TCP map reply: unexpected status", line);
}

void socketmap_request(struct buf *out, str name, str key)
{
	buf_printf(out, "%zu:%.*s ", name.n + 1 + key.n, STR_FMT(name));
	buf_str(out, key);
	buf_char(out, ',');
}

int netstring_head(str data, size_t max, size_t *length, size_t *used, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] == ':' && i > 0) {
			*length = n;
			*used = i + 1;
			return 1;
		}
		if (data.p[i] < '0' || data.p[i] > '9' || i > 18) {
			(void)bad(err, "netstring format error", str_head(data, 30));
			return -1;
		}
		n = n * 10 + (size_t)(data.p[i] - '0');
		if (n > max)
			return err_set(err, "reply is longer than %zu bytes", max);
	}
	return 0;
}

enum table_result socketmap_reply(str payload, struct buf *value, struct err *err)
{
	ptrdiff_t space = str_chr(payload, ' ');
	str word = space < 0 ? payload : str_head(payload, (size_t)space);
	str text = space < 0 ? STR("") : str_from(payload, (size_t)space + 1);

	if (str_eq(word, STR("OK"))) {
		buf_str(value, text);
		return TABLE_FOUND;
	}
	if (str_eq(word, STR("NOTFOUND")))
		return TABLE_NONE;
	if (str_eq(word, STR("TEMP")))
		return bad(err, "server temporary error", text);
	if (str_eq(word, STR("TIMEOUT")))
		return bad(err, "server timeout error", text);
	if (str_eq(word, STR("PERM")))
		return bad(err, "server permanent error", text);
	return bad(err, "unexpected server reply", payload);
}
