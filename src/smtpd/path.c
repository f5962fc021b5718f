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

/* Control characters are legal nowhere, and could end a line further on. strict_smtputf8: UTF-8
 * needs SMTPUTF8; else a local part may have it all the same. */
static bool allowed(const struct session *s, str address)
{
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] < ' ' || address.p[i] == 127)
			return false;
	if (!conf.allow_min_user && address.n && address.p[0] == '-')
		return false; /* commands would take it for an option */
	return (s->tx.env.flags & SENDER_SMTPUTF8) || !conf.strict_smtputf8 ||
	       str_is_ascii(address);
}

bool path_parse(
    struct session *s, struct arena *a, const char *verb, bool empty_ok, str *args, str *address)
{
	struct buf internal = {0};
	str path = {0}, rest = {0};
	bool good = addr_parse_path(*args, path_flags(s, empty_ok), &internal, &path, &rest) &&
		    allowed(s, buf_view(&internal));

	if (!good)
		log_smtpd_bad_address(s->client.namaddr, verb, path);
	*address = arena_str(a, buf_view(&internal));
	*args = rest;
	buf_free(&internal);
	return good;
}

bool path_parse_whole(struct session *s, struct arena *a, str arg, str *address)
{
	str rest = arg;

	if (!path_parse(s, a, "VRFY", false, &rest, address))
		return false;
	if (rest.n > 0)
		log_smtpd_bad_address(s->client.namaddr, "VRFY", arg);
	return rest.n == 0;
}
