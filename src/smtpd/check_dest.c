/* Relay control: is the recipient's domain ours to deliver or to relay for? */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "dns/dns.h"
#include "mail/addr.h"
#include "mail/own.h"
#include "param/param.h"
#include "table/matchlist.h"

/* Sender-specified routing (user%x@ours, @ours:user@x) that is left after resolving makes a
 * destination foreign unless we are the last stop (postconf(5), allow_untrusted_routing). */
enum destination eval_destination(struct eval *e)
{
	const struct resolved *r = eval_rcpt_route(e);

	if (!r || (r->flags & RESOLVE_FAIL))
		return DEST_UNKNOWN;
	if ((r->flags & RESOLVE_ROUTED) && !conf.allow_untrusted_routing)
		return DEST_FOREIGN;
	return r->flags & (RESOLVE_FINAL | RESOLVE_RELAY) ? DEST_OURS : DEST_FOREIGN;
}

enum outcome check_permit_auth_destination(struct eval *e, const struct rule *r)
{
	if (e->s->tx.rcpt.n == 0 || eval_destination(e) != DEST_OURS)
		return OUT_DUNNO;
	return eval_permit(e, r->name, eval_recipient(e), NULL);
}

static enum outcome close_relay(struct eval *e, int code, const char *dsn)
{
	if (e->s->tx.rcpt.n == 0)
		return OUT_DUNNO;
	switch (eval_destination(e)) {
	case DEST_OURS:
		return OUT_DUNNO;
	case DEST_FOREIGN:
		return eval_reject(
		    e, code, dsn, "<%.*s>: Relay access denied", STR_FMT(e->s->tx.rcpt));
	default:
		return eval_lookup_error(e, eval_recipient(e));
	}
}

enum outcome check_reject_unauth_destination(struct eval *e, const struct rule *r)
{
	(void)r;
	return close_relay(e, conf.relay_domains_reject_code, "5.7.1");
}

enum outcome check_defer_unauth_destination(struct eval *e, const struct rule *r)
{
	int code = conf.relay_domains_reject_code;

	(void)r;
	return close_relay(e, code >= 500 ? code - 100 : code, "4.7.1");
}

/* --- permit_mx_backup */

struct mx_host {
	bool ours, listed;
};

static struct matchlist *backup_networks(void)
{
	static struct matchlist *list;

	if (!list)
		list = matchlist_open(
		    "permit_mx_backup_networks", conf.permit_mx_backup_networks, MATCH_HOST);
	return list;
}

/* Whether an MX host is this system, and whether all its addresses are in the listed networks. */
static bool look_at(struct eval *e, const char *host, struct mx_host *h)
{
	char text[HOSTADDR_TEXT];
	struct hostaddr *a;
	struct err err;
	size_t n;

	*h = (struct mx_host){.listed = true};
	if (dns_host_lookup(host, AF_UNSPEC, e->arena, &a, &n, &err) != DNS_OK) {
		eval_defer_if_reject(e, 450, "4.4.4", eval_recipient(e),
		    arena_printf(
			e->arena, "Unable to look up mail exchanger host %s: %s", host, err.text));
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (own_address(&a[i]))
			h->ours = true;
		if (matchlist_host(backup_networks(), str_of(host),
			str_of(hostaddr_text(&a[i], text)), &err) != TABLE_FOUND)
			h->listed = false;
	}
	return true;
}

/* We are among the MX hosts, not among the best of them, and those are where we may forward to. */
static bool is_backup(struct eval *e, const char *domain)
{
	enum dns_status found;
	uint16_t best = UINT16_MAX;
	struct dns_rr *rr;
	bool ours = false;
	struct mx_host h;
	struct err err;
	size_t n;

	found = dns_lookup(domain, DNS_MX, 0, e->arena, &rr, &n, &err);
	if (found == DNS_RETRY)
		eval_defer_if_reject(e, 450, "4.4.4", eval_recipient(e),
		    arena_printf(
			e->arena, "Unable to look up mail exchanger information: %s", err.text));
	if (found != DNS_OK)
		return false;
	for (size_t i = 0; i < n; i++)
		if (rr[i].pref < best)
			best = rr[i].pref;
	for (size_t i = 0; i < n; i++) {
		bool primary = rr[i].pref == best;

		if (!look_at(e, rr[i].data, &h)) {
			if (primary)
				return false;
			continue;
		}
		if (primary && (h.ours || (!matchlist_empty(backup_networks()) && !h.listed)))
			return false;
		ours = ours || h.ours;
	}
	return ours;
}

enum outcome check_permit_mx_backup(struct eval *e, const struct rule *r)
{
	const struct resolved *route;
	str domain;

	if (e->s->tx.rcpt.n == 0)
		return OUT_DUNNO;
	if (eval_destination(e) == DEST_OURS)
		return eval_permit(e, r->name, eval_recipient(e), NULL);
	route = eval_rcpt_route(e);
	if (!route || (route->flags & RESOLVE_ROUTED))
		return OUT_DUNNO;
	domain = addr_domain(route->recipient);
	if (domain.n == 0 || domain.p[0] == '[' || !is_backup(e, arena_cstr(e->arena, domain)))
		return OUT_DUNNO;
	return eval_permit(e, r->name, eval_recipient(e), NULL);
}
