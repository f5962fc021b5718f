/* Forms of an address: splitting, quoting, extensions. */
#include "mail/addr.h"

#define LOG_MAX 1000

void addr_split(str address, str *local, str *domain)
{
	ptrdiff_t at = str_rchr(address, '@');

	if (at < 0) {
		*local = address;
		*domain = str_from(address, address.n);
	} else {
		*local = str_head(address, (size_t)at);
		*domain = str_from(address, (size_t)at + 1);
	}
}

str addr_domain(str address)
{
	str local, domain;

	addr_split(address, &local, &domain);
	return domain;
}

str addr_local(str address)
{
	str local, domain;

	addr_split(address, &local, &domain);
	return local;
}

bool addr_is_complete(str address)
{
	str domain = addr_domain(address);

	return domain.n > 0 && address.p[0] != '@' && !str_ends(domain, STR(".")) &&
	       (domain.p[0] == '[' || str_chr(domain, '.') > 0);
}

/* RFC 5321 4.1.2: Dot-string = Atom *("." Atom); RFC 6531 3.3 adds UTF-8 to atext. */
static bool is_atext(unsigned char c)
{
	return c > ' ' && c != 127 && !strchr("()<>@,;:\\\".[]", c);
}

bool addr_local_needs_quotes(str local)
{
	bool dot = true; /* an atom must come */

	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '.') {
			if (dot)
				return true;
			dot = true;
		} else if (is_atext((unsigned char)local.p[i])) {
			dot = false;
		} else {
			return true;
		}
	}
	return dot;
}

void addr_quote(struct buf *out, str address)
{
	ptrdiff_t at = str_rchr(address, '@');
	str local = at < 0 ? address : str_head(address, (size_t)at);

	if (address.n == 0 || !addr_local_needs_quotes(local)) {
		buf_str(out, address);
		return;
	}
	buf_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		/* These would end the line that the address stands in. */
		if (c == '\r' || c == '\n' || c == 0)
			c = '?';
		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		buf_char(out, c);
	}
	buf_char(out, '"');
	buf_str(out, str_from(address, local.n));
}

/* Index of the last @ that no quotes enclose, or the length. */
static size_t unquoted_at(str address)
{
	size_t at = address.n;
	bool quoted = false;

	for (size_t i = 0; i < address.n; i++) {
		if (address.p[i] == '\\')
			i++;
		else if (address.p[i] == '"')
			quoted = !quoted;
		else if (address.p[i] == '@' && !quoted)
			at = i;
	}
	return at;
}

void addr_unquote(struct buf *out, str address)
{
	size_t at;

	if (!memchr(address.p, '"', address.n) && !memchr(address.p, '\\', address.n)) {
		buf_str(out, address);
		return;
	}
	at = unquoted_at(address);
	for (size_t i = 0; i < at; i++) {
		if (address.p[i] == '\\' && i + 1 < at)
			buf_char(out, address.p[++i]);
		else if (address.p[i] != '"')
			buf_char(out, address.p[i]);
	}
	buf_str(out, str_from(address, at));
}

ptrdiff_t addr_extension(str local, const char *delimiters, bool owner_special, str double_bounce)
{
	if (!delimiters || !*delimiters || local.n < 2)
		return -1;
	if (str_eq_nocase(local, STR("mailer-daemon")) || str_eq_nocase(local, STR("postmaster")) ||
	    (double_bounce.n && str_eq_nocase(local, double_bounce)))
		return -1;
	if (owner_special && strchr(delimiters, '-') &&
	    (str_starts_nocase(local, STR("owner-")) || str_ends_nocase(local, STR("-request"))))
		return -1;
	for (size_t i = 1; i < local.n; i++) {
		char c = local.p[i];

		if (c && strchr(delimiters, c))
			return (ptrdiff_t)i;
	}
	return -1;
}

void addr_log(struct buf *out, str address)
{
	struct buf quoted = {0};

	addr_quote(&quoted, str_head(address, LOG_MAX));
	for (size_t i = 0; i < quoted.n && i < LOG_MAX; i++) {
		unsigned char c = (unsigned char)quoted.p[i];

		buf_char(out, c < ' ' || c == 127 ? '?' : (char)c);
	}
	buf_free(&quoted);
}
