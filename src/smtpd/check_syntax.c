/* Restrictions on the form of names: HELO, sender and recipient domains. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "base/hostaddr.h"
#include "mail/addr.h"
#include "param/param.h"

static bool fully_qualified(str name)
{
	if (str_ends(name, STR(".")))
		name = str_head(name, name.n - 1);
	return str_chr(name, '.') > 0 && addr_domain_valid(name, conf.smtputf8_enable);
}

bool check_helo_literal(struct eval *e, enum outcome *o)
{
	str helo = str_of(e->s->helo), ip;

	if (helo.n == 0 || helo.p[0] != '[' || addr_literal(helo, &ip))
		return false;
	*o = eval_reject_subject(
	    e, conf.invalid_hostname_reject_code, "5.5.2", eval_helo(e), "invalid ip address");
	return true;
}

enum outcome check_invalid_helo(struct eval *e, const struct rule *r)
{
	str helo = str_of(e->s->helo);
	enum outcome o;

	(void)r;
	if (!e->s->helo)
		return OUT_DUNNO;
	if (check_helo_literal(e, &o))
		return o;
	if (str_ends(helo, STR(".")))
		helo = str_head(helo, helo.n - 1);
	if ((helo.n && helo.p[0] == '[') || hostaddr_is_numeric(helo) || hostname_valid(helo, NULL))
		return OUT_DUNNO;
	return eval_reject_subject(
	    e, conf.invalid_hostname_reject_code, "5.5.2", eval_helo(e), "Invalid name");
}

enum outcome check_non_fqdn_helo(struct eval *e, const struct rule *r)
{
	str helo = str_of(e->s->helo), ip;
	enum outcome o;

	(void)r;
	if (!e->s->helo || addr_literal(helo, &ip) || (str_is_ascii(helo) && fully_qualified(helo)))
		return OUT_DUNNO;
	if (check_helo_literal(e, &o))
		return o;
	return eval_reject_subject(
	    e, conf.non_fqdn_reject_code, "5.5.2", eval_helo(e), "need fully-qualified hostname");
}

static enum outcome need_fqdn(struct eval *e, str address, struct subject about)
{
	str domain = addr_domain(address), ip;

	if (address.n == 0 || addr_literal(domain, &ip) || fully_qualified(domain))
		return OUT_DUNNO;
	return eval_reject_subject(
	    e, conf.non_fqdn_reject_code, "5.5.2", about, "need fully-qualified address");
}

enum outcome check_non_fqdn_sender(struct eval *e, const struct rule *r)
{
	(void)r;
	return e->s->tx.sender.p ? need_fqdn(e, e->s->tx.sender, eval_sender(e)) : OUT_DUNNO;
}

enum outcome check_non_fqdn_recipient(struct eval *e, const struct rule *r)
{
	(void)r;
	if (str_eq_nocase(e->s->tx.rcpt, STR("postmaster")))
		return OUT_DUNNO;
	return need_fqdn(e, e->s->tx.rcpt, eval_recipient(e));
}
