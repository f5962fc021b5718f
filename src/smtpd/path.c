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
	if (conf.smtputf8_enable && (conf.strict_smtputf8 ? s->tx.env.flags & SENDER_SMTPUTF8 : 1))
		flags |= ADDR_UTF8;
	if (conf.resolve_numeric_domain)
		flags |= ADDR_NUMERIC;
	if (empty_ok)
		flags |= ADDR_NULL;
	return flags;
}

bool path_parse(
    struct session *s, struct arena *a, const char *verb, bool empty_ok, str *args, str *address)
{
	struct buf internal = {0};
	str path = {0}, rest = {0};
	bool good = addr_parse_path(*args, path_flags(s, empty_ok), &internal, &path, &rest);

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

	return path_parse(s, a, "VRFY", false, &rest, address) && rest.n == 0;
}
