#include "smtpwire/esmtp.h"

#include "mail/dsn.h"

const struct name_row ehlo_names[] = {
#define KEYWORD(ID, name) {name, EHLO_##ID},
#include "smtpwire/ehlo.tbl"
#undef KEYWORD
    {"silent-discard", EHLO_SILENT_DISCARD},
    {NULL, 0},
};

const char *ehlo_name(enum ehlo_index at)
{
	return at < EHLO_COUNT ? ehlo_names[at].name : "";
}

int ehlo_mask(str list, uint64_t *mask, struct err *err)
{
	str word;
	int rc = 0;

	*mask = 0;
	while (str_word(&list, ", \t\r\n", &word)) {
		int64_t bit = names_value(ehlo_names, word, 0);

		*mask |= (uint64_t)bit;
		if (bit == 0)
			rc = err_set(
			    err, "unknown EHLO keyword: %.*s", STR_FMT(str_head(word, 100)));
	}
	return rc;
}

void ehlo_print(struct buf *out, uint64_t mask)
{
	size_t start = out->n;

	for (int at = 0; at < EHLO_COUNT; at++)
		if (mask & (uint64_t)1 << at)
			buf_printf(out, "%s%s", out->n > start ? " " : "", ehlo_name(at));
}

/* RFC 1870 4: a number, in decimal; 0 or none: no limit is told. */
static void size_limit(struct ehlo_caps *caps, str params)
{
	str word = {0};

	caps->size = 0;
	if (!str_word(&params, " \t", &word) || str_to_u64(word, &caps->size))
		return;
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] < '0' || word.p[i] > '9') {
			caps->bad_size = word;
			return;
		}
}

/* RFC 5321 4.1.1.1: ehlo-line = ehlo-keyword *( SP ehlo-param ) */
void ehlo_cap(struct ehlo_caps *caps, str line)
{
	str word, rest = line;
	int64_t bit;

	if (!str_word(&rest, " \t", &word))
		return;
	rest = str_trim(rest);
	if (str_starts_nocase(word, STR("AUTH="))) { /* form of old servers */
		caps->mask |= EHLO_AUTH;
		if (caps->auth.n == 0)
			caps->auth = str_trim(str_from(str_trim(line), 5));
		return;
	}
	if (str_starts_nocase(word, STR("SIZE="))) { /* seen too */
		rest = str_from(word, 5);
		word = str_head(word, 4);
	}
	bit = names_value(ehlo_names, word, 0);
	if (bit == EHLO_SILENT_DISCARD)
		return;
	caps->mask |= (uint64_t)bit;
	if (bit == EHLO_SIZE)
		size_limit(caps, rest);
	else if (bit == EHLO_AUTH)
		caps->auth = rest;
	else if (bit == EHLO_XCLIENT)
		caps->xclient = rest;
	else if (bit == EHLO_XFORWARD)
		caps->xforward = rest;
}

/* RFC 5321 4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value] */
bool esmtp_param(str *rest, str *name, str *value, str *word)
{
	str all;
	ptrdiff_t eq;

	if (!str_word(rest, " \t", &all))
		return false;
	eq = str_chr(all, '=');
	*name = eq < 0 ? all : str_head(all, (size_t)eq);
	*value = eq < 0 ? (str){NULL, 0} : str_from(all, (size_t)eq + 1);
	if (word)
		*word = all;
	return true;
}

bool xattr_get(str word, str *name, struct buf *value, bool *unavailable)
{
	ptrdiff_t eq = str_chr(word, '=');
	size_t start = value->n;
	str got;

	*unavailable = false;
	if (eq <= 0)
		return false;
	*name = str_head(word, (size_t)eq);
	got = str_from(word, (size_t)eq + 1);
	if (!xtext_decode(value, got)) {
		buf_cut(value, start);
		return false;
	}
	got = str_from(buf_view(value), start);
	*unavailable =
	    str_eq_nocase(got, STR("[UNAVAILABLE]")) || str_eq_nocase(got, STR("[TEMPUNAVAIL]"));
	return true;
}

void xattr_put(struct buf *out, const char *name, str value)
{
	buf_printf(out, " %s=", name);
	if (value.n)
		xtext_encode(out, value);
	else
		buf_cstr(out, "[UNAVAILABLE]");
}
