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
	return str_chr(name, '.') > 0 && hostname_valid(name, NULL);
}

enum outcome check_invalid_helo(struct eval *e, const struct rule *r)
{
	str helo = str_of(e->s->helo), ip;

	(void)r;
	if (!e->s->helo)
		return OUT_DUNNO;
	if (helo.p[0] == '[' ? addr_literal(helo, &ip) : hostaddr_is_numeric(helo) || hostname_valid(helo, NULL))
		return OUT_DUNNO;
	return eval_reject(e, conf.invalid_hostname_reject_code, "5.5.2",
	    "<%s>: Helo command rejected: Invalid name", e->s->helo);
}

enum outcome check_non_fqdn_helo(struct eval *e, const struct rule *r)
{
	str helo = str_of(e->s->helo), ip;

	(void)r;
	if (!e->s->helo || (helo.p[0] == '[' && addr_literal(helo, &ip)) || fully_qualified(helo))
		return OUT_DUNNO;
	return eval_reject(e, conf.non_fqdn_reject_code, "5.5.2",
	    "<%s>: Helo command rejected: need fully-qualified hostname", e->s->helo);
}

static enum outcome need_fqdn(struct eval *e, str address, const char *class)
{
	str domain = addr_domain(address), ip;

	if (address.n == 0 || addr_literal(domain, &ip) || fully_qualified(domain) ||
	    str_eq_nocase(address, STR("postmaster")))
		return OUT_DUNNO;
	return eval_reject(e, conf.non_fqdn_reject_code, "5.5.2",
	    "<%.*s>: %s address rejected: need fully-qualified address", STR_FMT(address), class);
}

enum outcome check_non_fqdn_sender(struct eval *e, const struct rule *r)
{
	(void)r;
	return e->s->tx.sender.p ? need_fqdn(e, e->s->tx.sender, "Sender") : OUT_DUNNO;
}

enum outcome check_non_fqdn_recipient(struct eval *e, const struct rule *r)
{
	(void)r;
	return need_fqdn(e, e->s->tx.rcpt, "Recipient");
}
