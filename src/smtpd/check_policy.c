/* check_policy_service: somebody else decides. */
#include "smtpd/access.h"
#include "smtpd/policy.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"

#define BUILT_IN_ACTION "451 4.3.5 Server configuration problem"

/* A default action that asks another server which fails as well must come to an end. */
static enum outcome default_action(struct eval *e, const struct policy_service *v)
{
	bool nested = e->in_default_action;
	const char *action = nested ? BUILT_IN_ACTION : v->default_action;
	enum outcome o;

	e->in_default_action = true;
	o = access_act(e, v->name, str_of(action), eval_subject(e));
	e->in_default_action = nested;
	return o;
}

static bool is_usable(const struct policy_service *v, str action)
{
	struct buf shown = {0};

	if (!conf.smtputf8_enable || utf8_valid(action))
		return true;
	buf_escape(&shown, action, 100);
	log_warn("malformed UTF-8 in policy server %s response: \"%s\"", v->name, buf_text(&shown));
	buf_free(&shown);
	return false;
}

static enum outcome act(struct eval *e, const struct policy_service *v, str action)
{
	if (str_trim(action).n == 0) {
		log_warn("policy server %s: its answer has an empty action", v->name);
		return OUT_DUNNO;
	}
	if (!is_usable(v, action))
		return default_action(e, v);
	return access_act(e, v->name, action, eval_subject(e));
}

enum outcome check_policy_service(struct eval *e, const struct rule *r)
{
	struct transaction *tx = &e->s->tx;
	struct buf request = {0}, action = {0};
	enum outcome o;

	policy_request(e, r->policy->context, &request);
	if (policy_ask(r->policy->server, tx->instance[0] ? &tx->policy : NULL, buf_view(&request),
		&action) == 0)
		o = act(e, r->policy, buf_view(&action));
	else
		o = default_action(e, r->policy);
	buf_free(&request);
	buf_free(&action);
	return o;
}
