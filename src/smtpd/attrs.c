#include "smtpd/attrs.h"

#include "base/hostaddr.h"
#include "mail/dsn.h"
#include "param/param.h"

/* Control characters would confuse those who read logs and headers; in names, so would what means
 * something there. */
static char *clean(struct arena *a, str value, enum attr_kind kind)
{
	char *text = arena_cstr(a, value);

	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c >= 127)
			text[i] = '?';
		else if (kind != ATTR_LOGIN && (c == ' ' || strchr("<>()\\\";@", c)))
			text[i] = '?';
	}
	return text;
}

static bool take_address(struct attr *at)
{
	struct hostaddr a;
	bool v6 = str_starts_nocase(at->value, STR("IPV6:"));

	if (v6)
		at->value = str_from(at->value, 5);
	if (hostaddr_parse(&a, at->value, 0, NULL) < 0 || (a.sa.sa_family == AF_INET6) != v6)
		return false;
	return !v6 || strcasecmp(conf.inet_protocols, "ipv4") != 0;
}

static bool good(struct attr *at)
{
	uint64_t n;

	switch (at->row->kind) {
	case ATTR_NAME:
		return hostname_valid(at->value, NULL);
	case ATTR_ADDR:
		return take_address(at);
	case ATTR_PORT:
		return str_is_digits(at->value) && str_to_u64(at->value, &n) && n <= 65535;
	case ATTR_PROTO:
		return str_eq_nocase(at->value, STR("SMTP")) ||
		       str_eq_nocase(at->value, STR("ESMTP"));
	case ATTR_WHERE:
		return str_eq_nocase(at->value, STR("LOCAL")) ||
		       str_eq_nocase(at->value, STR("REMOTE"));
	default:
		return true;
	}
}

static const struct attr_row *find(const struct attr_row *rows, str name)
{
	for (; rows->name; rows++)
		if (str_eq_nocase(name, str_of(rows->name)))
			return rows;
	return NULL;
}

/* What the client sent is shown as it came when it is no xtext (very old clients send plain text).
 */
static str decode(struct arena *a, str raw, enum attr_kind kind)
{
	struct buf plain = {0};
	bool decoded = xtext_decode(&plain, raw);
	str value = str_of(clean(a, decoded ? buf_view(&plain) : raw, kind));

	buf_free(&plain);
	return value;
}

static const char *upper(struct arena *a, str name)
{
	char *text = arena_cstr(a, str_head(name, 100));

	for (char *p = text; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p -= 'a' - 'A';
	return text;
}

static bool take(struct session *s, const char *verb, str word, const struct attr_row *rows,
    struct arena *a, struct attr *at)
{
	ptrdiff_t eq = str_chr(word, '=');
	str raw = str_from(word, (size_t)(eq + 1));

	if (eq <= 0 || raw.n == 0) {
		session_reply(s, "501 5.5.4 Error: attribute=value expected");
		return false;
	}
	if (raw.n > ATTR_VALUE_MAX) {
		session_reply(s, "501 5.5.4 Error: attribute value too long");
		return false;
	}
	*at = (struct attr){.row = find(rows, str_head(word, (size_t)eq))};
	if (!at->row) {
		session_reply(s, "501 5.5.4 Bad %s attribute name: %s", verb,
		    upper(a, str_head(word, (size_t)eq)));
		return false;
	}
	at->value = decode(a, raw, at->row->kind);
	at->temporary = str_eq_nocase(at->value, STR("[TEMPUNAVAIL]"));
	at->unavailable = at->temporary || str_eq_nocase(at->value, STR("[UNAVAILABLE]"));
	if (at->unavailable || good(at))
		return true;
	session_reply(s, "501 5.5.4 Bad %s syntax: %.*s", at->row->name,
	    STR_FMT(decode(a, raw, at->row->kind)));
	return false;
}

int attrs_parse(struct session *s, const char *verb, str args, const struct attr_row *rows,
    struct arena *a, struct attr *attr, int max)
{
	str word;
	int n = 0;

	while (str_word(&args, " \t", &word)) {
		if (n == max) {
			session_reply(s, "501 5.5.4 Error: too many attributes");
			return -1;
		}
		if (!take(s, verb, word, rows, a, &attr[n++]))
			return -1;
	}
	if (n == 0) {
		session_reply(s, "501 5.5.4 Syntax: %s attribute=value...", verb);
		return -1;
	}
	return n;
}
