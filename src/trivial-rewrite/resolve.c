#include "trivial-rewrite/resolve.h"
#include "table/table.h"

#include "base/hostaddr.h"
#include "base/mem.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/own.h"
#include "param/param.h"
#include "table/matchlist.h"
#include "trivial-rewrite/rewrite.h"
#include "trivial-rewrite/transport.h"

#define TABLE_FLAGS (TABLE_FOLD | TABLE_UTF8)

/* The parameters of one way of routing: for mail, and for address verification probes. */
struct policy {
	struct maps *transport_maps, *sender_relayhost, *sender_transport;
	const char *local, *virtual, *relay, *dflt, *relayhost;
};
static struct policy policies[2];
static struct maps *relocated;
static struct matchlist *virtual_alias_domains, *virtual_mailbox_domains, *relay_domains;

void resolve_setup(void)
{
	own_setup();
	virtual_alias_domains =
	    matchlist_open("virtual_alias_domains", conf.virtual_alias_domains, MATCH_STRING);
	virtual_mailbox_domains =
	    matchlist_open("virtual_mailbox_domains", conf.virtual_mailbox_domains, MATCH_STRING);
	relay_domains = matchlist_open("relay_domains", conf.relay_domains, MATCH_DOMAIN);
	relocated = maps_open("relocated_maps", conf.relocated_maps, TABLE_FLAGS);
	policies[0] = (struct policy){
	    maps_open("transport_maps", conf.transport_maps, TABLE_FLAGS | TABLE_NO_REGSUB),
	    maps_open("sender_dependent_relayhost_maps", conf.sender_dependent_relayhost_maps,
		TABLE_FLAGS | TABLE_NO_REGSUB),
	    maps_open("sender_dependent_default_transport_maps",
		conf.sender_dependent_default_transport_maps, TABLE_FLAGS | TABLE_NO_REGSUB),
	    conf.local_transport, conf.virtual_transport, conf.relay_transport,
	    conf.default_transport, conf.relayhost};
	policies[1] = (struct policy){
	    maps_open("address_verify_transport_maps", conf.address_verify_transport_maps,
		TABLE_FLAGS | TABLE_NO_REGSUB),
	    maps_open("address_verify_sender_dependent_relayhost_maps",
		conf.address_verify_sender_dependent_relayhost_maps, TABLE_FLAGS | TABLE_NO_REGSUB),
	    maps_open("address_verify_sender_dependent_default_transport_maps",
		conf.address_verify_sender_dependent_default_transport_maps,
		TABLE_FLAGS | TABLE_NO_REGSUB),
	    conf.address_verify_local_transport, conf.address_verify_virtual_transport,
	    conf.address_verify_relay_transport, conf.address_verify_default_transport,
	    conf.address_verify_relayhost};
}

void route_free(struct route *r)
{
	buf_free(&r->transport);
	buf_free(&r->nexthop);
	buf_free(&r->recipient);
}

static void set(struct buf *b, str s)
{
	buf_clear(b);
	buf_str(b, s);
}

static void fail(struct route *r, const char *param, const struct err *err)
{
	log_warn("%s", err->text);
	log_warn("%s lookup failure", param);
	r->flags |= RESOLVE_FAIL;
}

static void to_error(struct route *r, const char *why)
{
	set(&r->transport, str_of(conf.error_service_name));
	set(&r->nexthop, str_of(why));
}

/* resolve_dequoted_address = no: what stands in quotes is no operator. */
static bool is_opaque(str local)
{
	return !conf.resolve_dequoted_address && addr_local_needs_quotes(local);
}

/* An address whose domain is ours may carry a route in its local part: user%site@ours,
 * site!user@ours, "user@site"@ours. Takes it apart until a domain is left that decides; what comes
 * out is completed like any address. */
static void follow_operators(struct route *r, struct buf *a)
{
	struct buf next = {0};
	struct err err;

	for (int i = 0; i < 20; i++) {
		str local, domain;
		enum table_result ours;

		addr_split(buf_view(a), &local, &domain);
		ours = domain.n ? own_domain(domain, &err) : TABLE_FOUND;
		if (ours == TABLE_ERROR)
			fail(r, "mydestination", &err);
		if (ours != TABLE_FOUND)
			break;
		buf_clear(&next);
		if (is_opaque(local))
			break;
		if (str_rchr(local, '@') > 0)
			buf_str(&next, local);
		else if (!rewrite_operator(local, &next))
			break;
		r->flags |= RESOLVE_ROUTED;
		buf_clear(a);
		rewrite_form(STR("local"), buf_view(&next), a);
	}
	buf_free(&next);
}

static bool has_operator(str local)
{
	if (is_opaque(local))
		return false;
	return str_chr(local, '@') >= 0 || (conf.allow_percent_hack && str_chr(local, '%') >= 0) ||
	       (conf.swap_bangpath && str_chr(local, '!') >= 0);
}

static bool in(struct route *r, struct matchlist *list, str domain)
{
	struct err err;
	enum table_result t = matchlist_name(list, domain, &err);

	if (t == TABLE_ERROR)
		fail(r, matchlist_param(list), &err);
	return t == TABLE_FOUND;
}

/* A domain has one class: the first list that has it. */
static uint32_t classify(struct route *r, str domain)
{
	struct {
		uint32_t class;
		struct matchlist *list;
	} lists[] = {
	    {RESOLVE_ALIAS, virtual_alias_domains},
	    {RESOLVE_VIRTUAL, virtual_mailbox_domains},
	    {RESOLVE_RELAY, relay_domains},
	};
	struct err err;
	enum table_result ours = own_domain(domain, &err);
	const char *first = ours == TABLE_FOUND ? "mydestination" : NULL;
	uint32_t class = first ? RESOLVE_LOCAL : RESOLVE_DEFAULT;

	if (ours == TABLE_ERROR)
		fail(r, "mydestination", &err);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *name = matchlist_param(lists[i].list);

		if (class == RESOLVE_LOCAL && lists[i].class == RESOLVE_RELAY)
			break; /* by default it has all of mydestination */
		if (!in(r, lists[i].list, domain))
			continue;
		if (first) {
			log_warn("do not list domain %.*s in BOTH %s and %s", STR_FMT(domain),
			    first, name);
			continue;
		}
		first = name;
		class = lists[i].class;
	}
	return class;
}

/* A value for the sender, or for the key of the null sender; DUNNO is no value. */
static bool by_sender(
    struct route *r, struct maps *maps, str sender, const char *null_key, struct buf *value)
{
	enum table_result t;
	struct err err;

	if (maps_empty(maps))
		return false;
	if (sender.n == 0)
		t = maps_get(maps, str_of(null_key), value, &err);
	else
		t = addr_find(maps, sender, ADDR_FIND_SENDER, value, NULL, &err);
	if (t == TABLE_ERROR)
		fail(r, maps_param(maps), &err);
	return t == TABLE_FOUND && !str_eq_nocase(buf_view(value), STR("DUNNO"));
}

static void default_route(struct route *r, const struct policy *p, str sender, str domain)
{
	struct buf value = {0};

	if (by_sender(r, p->sender_transport, sender,
		conf.empty_address_default_transport_maps_lookup_key, &value))
		transport_apply(r, buf_view(&value), STR(""));
	else
		transport_apply(r, str_of(p->dflt), STR(""));
	(void)domain;
	buf_free(&value);
}

/* Where a transport names no next hop, mail goes to relayhost, or straight to the domain. */
static void default_nexthop(struct route *r, const struct policy *p, str sender, str domain)
{
	struct buf value = {0};

	if (r->nexthop.n > 0)
		return;
	if (by_sender(r, p->sender_relayhost, sender, conf.empty_address_relayhost_maps_lookup_key,
		&value))
		set(&r->nexthop, buf_view(&value));
	else if (*p->relayhost)
		set(&r->nexthop, str_of(p->relayhost));
	else
		set(&r->nexthop, domain);
	buf_free(&value);
}

static void class_route(struct route *r, const struct policy *p, str sender, str domain)
{
	switch (r->flags & RESOLVE_CLASS_MASK) {
	case RESOLVE_LOCAL:
		transport_apply(r, str_of(p->local), str_of(conf.myhostname));
		break;
	case RESOLVE_ALIAS:
		to_error(r, conf.show_user_unknown_table_name
				? "5.1.1 User unknown in virtual alias table"
				: "5.1.1 User unknown");
		break;
	case RESOLVE_VIRTUAL:
		transport_apply(r, str_of(p->virtual), domain);
		break;
	case RESOLVE_RELAY:
		transport_apply(r, str_of(p->relay), STR(""));
		default_nexthop(r, p, sender, domain);
		break;
	default:
		default_route(r, p, sender, domain);
		default_nexthop(r, p, sender, domain);
	}
}

static void transport_table(struct route *r, const struct policy *p, str domain)
{
	struct buf value = {0};
	struct err err;

	/* Virtual aliases are no place that mail can be sent to. */
	if (maps_empty(p->transport_maps) || (r->flags & RESOLVE_ALIAS))
		return;
	switch (transport_find(p->transport_maps, buf_view(&r->recipient), &value, &err)) {
	case TABLE_FOUND:
		transport_apply(r, buf_view(&value), domain);
		break;
	case TABLE_ERROR:
		fail(r, "transport_maps", &err);
		break;
	default:
		break;
	}
	buf_free(&value);
}

static void relocated_user(struct route *r)
{
	struct buf value = {0}, text = {0};
	struct err err;
	unsigned how = ADDR_FIND_CANONICAL | (r->flags & RESOLVE_LOCAL ? ADDR_FIND_LOCALPART : 0);

	if (maps_empty(relocated))
		return;
	switch (addr_find(relocated, buf_view(&r->recipient), how, &value, NULL, &err)) {
	case TABLE_FOUND:
		buf_printf(&text, "5.1.6 %s%s",
		    conf.relocated_prefix_enable ? "User has moved to " : "", buf_text(&value));
		to_error(r, buf_text(&text));
		break;
	case TABLE_ERROR:
		fail(r, "relocated_maps", &err);
		break;
	default:
		break;
	}
	buf_free(&value);
	buf_free(&text);
}

/* user@1.2.3.4 is no domain; with resolve_numeric_domain it is taken for [1.2.3.4]. */
static bool is_bad(struct route *r, struct buf *a)
{
	str local, domain, ip;
	struct buf literal = {0};

	addr_split(buf_view(a), &local, &domain);
	if (hostaddr_is_numeric(domain)) {
		if (!conf.resolve_numeric_domain)
			return true;
		buf_printf(&literal, "%.*s@[%.*s]", STR_FMT(local), STR_FMT(domain));
		set(a, buf_view(&literal));
		buf_free(&literal);
		return false;
	}
	(void)r;
	if (!conf.allow_min_user && local.n && local.p[0] == '-')
		return true; /* commands would take it for an option */
	return domain.p[0] == '[' ? !addr_literal(domain, &ip) : !addr_domain_valid(domain, true);
}

void resolve_address(str sender, str address, bool verify, struct route *r)
{
	const struct policy *p = &policies[verify];
	struct buf a = {0}, domain = {0};

	if (address.n == 0)
		buf_printf(&a, "%s@%s", conf.empty_address_recipient, conf.myhostname);
	else
		buf_str(&a, address);
	follow_operators(r, &a);
	if (conf.resolve_null_domain && str_ends(buf_view(&a), STR("@")))
		buf_cut(&a, a.n - 1);
	if (str_rchr(buf_view(&a), '@') < 0)
		buf_printf(&a, "@%s", conf.myhostname);
	if (is_bad(r, &a)) {
		set(&r->recipient, buf_view(&a));
		r->flags |= RESOLVE_ERROR | RESOLVE_DEFAULT;
		to_error(r, "5.1.3 bad address syntax");
		buf_free(&a);
		return;
	}
	set(&r->recipient, buf_view(&a));
	buf_lower(&domain, addr_domain(buf_view(&a)));
	if (has_operator(addr_local(buf_view(&a))) && !(r->flags & RESOLVE_ROUTED))
		r->flags |= RESOLVE_ROUTED;
	r->flags |= classify(r, buf_view(&domain));
	class_route(r, p, sender, buf_view(&domain));
	transport_table(r, p, buf_view(&domain));
	relocated_user(r);
	buf_free(&a);
	buf_free(&domain);
}
