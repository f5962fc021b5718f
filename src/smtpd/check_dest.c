/* Relay control: is the recipient's domain ours to deliver or to relay for? */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "param/param.h"

enum destination { DEST_OURS, DEST_FOREIGN, DEST_UNKNOWN };

/* Sender-specified routing (user%x@ours, @ours:user@x) that is left after resolving makes a destination
 * foreign unless we are the last stop (postconf(5), allow_untrusted_routing). */
static enum destination destination(struct eval *e)
{
	const struct resolved *r = eval_rcpt_route(e);

	if (!r || (r->flags & RESOLVE_FAIL))
		return DEST_UNKNOWN;
	if ((r->flags & RESOLVE_ROUTED) && !conf.allow_untrusted_routing)
		return DEST_FOREIGN;
	if (r->flags & (RESOLVE_FINAL | RESOLVE_RELAY))
		return DEST_OURS;
	return DEST_FOREIGN;
}

static enum outcome unknown(struct eval *e)
{
	return eval_reject(e, 451, "4.3.0", "<%.*s>: Temporary lookup failure", STR_FMT(e->s->tx.rcpt));
}

enum outcome check_permit_auth_destination(struct eval *e, const struct rule *r)
{
	(void)r;
	if (e->s->tx.rcpt.n == 0)
		return OUT_DUNNO;
	return destination(e) == DEST_OURS ? OUT_OK : OUT_DUNNO;
}

static enum outcome close_relay(struct eval *e, int code, const char *dsn)
{
	if (e->s->tx.rcpt.n == 0)
		return OUT_DUNNO;
	switch (destination(e)) {
	case DEST_OURS:
		return OUT_DUNNO;
	case DEST_FOREIGN:
		return eval_reject(e, code, dsn, "<%.*s>: Relay access denied", STR_FMT(e->s->tx.rcpt));
	default:
		return unknown(e);
	}
}

enum outcome check_reject_unauth_destination(struct eval *e, const struct rule *r)
{
	(void)r;
	return close_relay(e, conf.relay_domains_reject_code, "5.7.1");
}

enum outcome check_defer_unauth_destination(struct eval *e, const struct rule *r)
{
	(void)r;
	return close_relay(e, conf.relay_domains_reject_code - 100, "4.7.1");
}
