/* permit, reject, defer and their relatives. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "param/param.h"

enum outcome check_permit(struct eval *e, const struct rule *r)
{
	return eval_permit(e, r->name, eval_subject(e), NULL);
}

enum outcome check_reject(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject_subject(e, conf.reject_code, "5.7.1", eval_subject(e), "Access denied");
}

enum outcome check_defer(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject_subject(e, conf.defer_code, "4.3.2", eval_subject(e), "Try again later");
}

enum outcome check_defer_if_permit(struct eval *e, const struct rule *r)
{
	(void)r;
	eval_defer_if_permit(
	    e, conf.access_map_defer_code, "4.7.0", eval_subject(e), "defer_if_permit requested");
	return OUT_DUNNO;
}

enum outcome check_defer_if_reject(struct eval *e, const struct rule *r)
{
	(void)r;
	eval_defer_if_reject(
	    e, conf.access_map_defer_code, "4.7.0", eval_subject(e), "defer_if_reject requested");
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
	return eval_reject_subject(e, conf.multi_recipient_bounce_reject_code, "5.5.3",
	    eval_subject(e), "Multi-recipient bounce");
}

enum outcome check_plaintext_session(struct eval *e, const struct rule *r)
{
	(void)r;
	return eval_reject(
	    e, conf.plaintext_reject_code, "4.7.1", "Session encryption is required");
}

enum outcome check_unauth_pipelining(struct eval *e, const struct rule *r)
{
	(void)r;
	if (!e->s->illegal_pipelining)
		return OUT_DUNNO;
	return eval_reject_subject(
	    e, 503, "5.5.0", eval_subject(e), "Improper use of SMTP command pipelining");
}

enum outcome check_sleep(struct eval *e, const struct rule *r)
{
	int seconds;

	if (time_parse(str_of(r->word), 's', &seconds, NULL) < 0) {
		log_warn("restriction sleep must be followed by number");
		return eval_config_error(e);
	}
	co_sleep(seconds * 1000L);
	return OUT_DUNNO;
}
