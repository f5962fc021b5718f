/* permit, reject, defer and their relatives. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "param/param.h"

enum outcome check_permit(struct eval *e, const struct rule *r)
{
	(void)e;
	(void)r;
	return OUT_OK;
}

enum outcome check_reject(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject(e, conf.reject_code, "5.7.1", "%s: %s rejected: Access denied", eval_object(e),
	    eval_class(e));
}

enum outcome check_defer(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject(e, conf.defer_code, "4.3.2", "%s: %s rejected: Try again later", eval_object(e),
	    eval_class(e));
}

enum outcome check_defer_if_permit(struct eval *e, const struct rule *r)
{
	(void)r;
	eval_defer_if_permit(e, conf.access_map_defer_code, "4.7.0", "%s: %s rejected: defer_if_permit requested",
	    eval_object(e), eval_class(e));
	return OUT_DUNNO;
}

enum outcome check_defer_if_reject(struct eval *e, const struct rule *r)
{
	(void)r;
	eval_defer_if_reject(e, conf.access_map_defer_code, "4.7.0", "%s: %s rejected: defer_if_reject requested",
	    eval_object(e), eval_class(e));
	return OUT_DUNNO;
}

enum outcome check_warn_if_reject(struct eval *e, const struct rule *r)
{
	(void)r;
	e->warn = true;
	return OUT_DUNNO;
}

enum outcome check_multi_recipient_bounce(struct eval *e, const struct rule *r)
{
	struct session *s = e->s;
	bool at_rcpt = e->list == LIST_RECIPIENT || e->list == LIST_RELAY;

	(void)r;
	if (!s->tx.open || s->tx.sender.n > 0 || s->tx.nrcpts + at_rcpt < 2)
		return OUT_DUNNO;
	return eval_reject(e, conf.multi_recipient_bounce_reject_code, "5.5.3",
	    "<%s>: %s rejected: Multi-recipient bounce", s->stage, eval_class(e));
}

enum outcome check_plaintext_session(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject(e, conf.plaintext_reject_code, "4.7.1", "Session encryption is required");
}

enum outcome check_unauth_pipelining(struct eval *e, const struct rule *r)
{
	(void)r;
	if (!e->s->illegal_pipelining)
		return OUT_DUNNO;
	return eval_reject(e, 503, "5.5.0", "<%s>: %s rejected: Improper use of SMTP command pipelining",
	    e->s->stage, eval_class(e));
}

enum outcome check_sleep(struct eval *e, const struct rule *r)
{
	int seconds;

	if (time_parse(str_of(r->word), 's', &seconds, NULL) < 0)
		return eval_config_error(e, eval_object(e), eval_class(e));
	co_sleep(seconds * 1000L);
	return OUT_DUNNO;
}
