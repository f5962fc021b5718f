/* Restrictions that want a name to be in the DNS: domains of HELO, sender and recipient. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "dns/dns.h"
#include "mail/addr.h"
#include "param/param.h"

enum presence { PRESENT, ABSENT, NULL_MX, NOT_KNOWN };

static enum presence has_address(struct eval *e, const char *name, enum dns_type type)
{
	struct dns_rr *rr;
	size_t n;

	switch (dns_lookup(name, type, 0, e->arena, &rr, &n, NULL)) {
	case DNS_OK:
		return PRESENT;
	case DNS_RETRY:
		return NOT_KNOWN;
	default:
		return ABSENT;
	}
}

/* A or AAAA, as far as the answer is of use. */
static enum presence has_host(struct eval *e, const char *name)
{
	enum presence a = has_address(e, name, DNS_A), aaaa;

	if (a == PRESENT)
		return PRESENT;
	aaaa = has_address(e, name, DNS_AAAA);
	return aaaa == ABSENT ? a : aaaa;
}

/* A domain can receive mail when it has an MX record, or else an address (RFC 5321 5.1). */
static enum presence has_mail(struct eval *e, const char *name)
{
	struct dns_rr *rr;
	size_t n;

	switch (dns_lookup(name, DNS_MX, 0, e->arena, &rr, &n, NULL)) {
	case DNS_OK:
		return dns_is_null_mx(rr, n) ? NULL_MX : PRESENT;
	case DNS_NOTFOUND:
	case DNS_NODATA:
		return has_host(e, name);
	case DNS_RETRY: /* nobody knows its MX; but there is such a domain if it has an address */
		return has_host(e, name) == PRESENT ? PRESENT : NOT_KNOWN;
	default:
		return ABSENT;
	}
}

/* The DNS knows only A-labels. NULL: there can be no such name. */
static const char *dns_name(struct eval *e, str domain)
{
	struct buf ascii = {0};
	const char *name = NULL;

	if (str_ends(domain, STR(".")))
		domain = str_head(domain, domain.n - 1);
	if (addr_domain_to_ascii(&ascii, domain) && ascii.n < DNS_NAME_MAX)
		name = arena_cstr(e->arena, buf_view(&ascii));
	buf_free(&ascii);
	return name;
}

enum outcome check_unknown_helo(struct eval *e, const struct rule *r)
{
	str helo = str_of(e->s->helo), ip;
	enum presence p = ABSENT;
	const char *name;
	enum outcome o;

	(void)r;
	if (!e->s->helo || addr_literal(helo, &ip))
		return OUT_DUNNO;
	if (check_helo_literal(e, &o))
		return o;
	if (!hostaddr_is_numeric(helo) && (name = dns_name(e, helo))) {
		p = has_host(e, name);
		if (p == ABSENT)
			p = has_mail(e, name);
	}
	if (p == PRESENT || p == NULL_MX)
		return OUT_DUNNO;
	if (p == NOT_KNOWN)
		return eval_tempfail(e, conf.unknown_helo_hostname_tempfail_action, 450, "4.7.1",
		    eval_helo(e), "Host not found");
	return eval_reject_subject(
	    e, conf.unknown_hostname_reject_code, "5.7.1", eval_helo(e), "Host not found");
}

struct domain_rule {
	const char *unknown_dsn;
	int null_code;
	const char *null_dsn;
};

static enum outcome judge(
    struct eval *e, str domain, struct subject about, const struct domain_rule *rule)
{
	const char *name = dns_name(e, domain);
	enum presence p = name ? has_mail(e, name) : ABSENT;

	switch (p) {
	case PRESENT:
		return OUT_DUNNO;
	case NULL_MX:
		return eval_reject_subject(e, rule->null_code, rule->null_dsn, about,
		    arena_printf(
			e->arena, "Domain %.*s does not accept mail (nullMX)", STR_FMT(domain)));
	case NOT_KNOWN:
		return eval_tempfail(e, conf.unknown_address_tempfail_action, 450,
		    rule->unknown_dsn, about, "Domain not found");
	default:
		return eval_reject_subject(e, conf.unknown_address_reject_code, rule->unknown_dsn,
		    about, "Domain not found");
	}
}

/* Where we are the last stop the DNS has no say. */
static enum outcome judge_route(struct eval *e, const struct resolved *route, struct subject about,
    const struct domain_rule *rule)
{
	str domain, ip;

	if (!route || (route->flags & RESOLVE_FAIL))
		return eval_lookup_error(e, about);
	domain = addr_domain(route->recipient);
	if ((route->flags & RESOLVE_FINAL) || domain.n == 0 || addr_literal(domain, &ip))
		return OUT_DUNNO;
	return judge(e, domain, about, rule);
}

enum outcome check_unknown_sender_domain(struct eval *e, const struct rule *r)
{
	static const struct domain_rule rule = {"5.1.8", 550, "5.7.27"};

	(void)r;
	if (e->s->tx.sender.n == 0)
		return OUT_DUNNO;
	return judge_route(e, eval_sender_route(e), eval_sender(e), &rule);
}

enum outcome check_unknown_recipient_domain(struct eval *e, const struct rule *r)
{
	static const struct domain_rule rule = {"5.1.2", 556, "5.1.10"};

	(void)r;
	if (e->s->tx.rcpt.n == 0)
		return OUT_DUNNO;
	return judge_route(e, eval_rcpt_route(e), eval_recipient(e), &rule);
}
