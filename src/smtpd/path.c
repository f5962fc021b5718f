#include "smtpd/path.h"

#include "log/event.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"

static unsigned path_flags(const struct session *s, bool empty_ok)
{
	unsigned flags = 0;

	if (conf.strict_rfc821_envelopes)
		flags |= ADDR_STRICT;
	if (s->tx.env.flags & SENDER_SMTPUTF8)
		flags |= ADDR_UTF8;
	if (conf.resolve_numeric_domain)
		flags |= ADDR_NUMERIC;
	if (conf.resolve_null_domain)
		flags |= ADDR_NULL_DOMAIN;
	if (empty_ok)
		flags |= ADDR_NULL;
	return flags;
}

/* Control characters are legal nowhere, and could end a line further on. */
static bool allowed(str address)
{
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] < ' ' || address.p[i] == 127)
			return false;
	/* Commands would take it for an option. */
	return conf.allow_min_user || address.n == 0 || address.p[0] != '-';
}

static bool parse(
    struct session *s, struct arena *a, const char *verb, unsigned flags, str *args, str *address)
{
	struct buf internal = {0};
	str path = {0}, rest = {0};
	bool good =
	    addr_parse_path(*args, flags, &internal, &path, &rest) && allowed(buf_view(&internal));

	if (!good && path.p)
		log_smtpd_bad_address(s->client.namaddr, verb, path);
	*address = arena_str(a, buf_view(&internal));
	*args = rest;
	buf_free(&internal);
	return good;
}

bool path_parse(
    struct session *s, struct arena *a, const char *verb, bool empty_ok, str *args, str *address)
{
	return parse(s, a, verb, path_flags(s, empty_ok), args, address);
}

bool path_parse_whole(struct session *s, struct arena *a, str arg, str *address)
{
	return parse(s, a, "VRFY", path_flags(s, false) | ADDR_WHOLE, &arg, address);
}

bool path_utf8_declared(struct session *s, str address)
{
	if (!conf.strict_smtputf8 || (s->tx.env.flags & SENDER_SMTPUTF8) || str_is_ascii(address))
		return true;
	session_reply(s, "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
	return false;
}
