/* access(5): the keys that tables are asked for. */
#include "smtpd/access.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "table/matchlist.h"

enum key_result { KEY_NONE, KEY_FOUND, KEY_FAILED };

struct search {
	struct eval *e;
	struct table *table;
	struct buf value;
};

static enum key_result get(struct search *f, str key)
{
	struct err err;

	switch (table_get(f->table, key, &f->value, &err)) {
	case TABLE_FOUND:
		return KEY_FOUND;
	case TABLE_NONE:
		return KEY_NONE;
	default:
		log_warn("%s: table lookup problem: %s", table_spec(f->table), err.text);
		return KEY_FAILED;
	}
}

/* host.dom.tld, dom.tld, tld: as parent_domain_matches_subdomains says, or with a leading dot. */
static enum key_result find_domain(struct search *f, str domain)
{
	static int with_dot = -1;
	enum key_result k;

	if (str_ends(domain, STR(".")))
		domain = str_head(domain, domain.n - 1);
	if (domain.n == 0)
		return KEY_NONE;
	k = get(f, domain);
	if (with_dot < 0)
		with_dot = !matchlist_parent_matches("smtpd_access_maps");
	if (k != KEY_NONE || !table_partial_keys(f->table))
		return k;
	while (k == KEY_NONE) {
		ptrdiff_t dot = str_chr(str_from(domain, 1), '.');
		if (dot < 0)
			break;
		domain = str_from(domain, dot + 1 + !with_dot);
		if (domain.n == 0)
			break;
		k = get(f, domain);
	}
	return k;
}

/* a.b.c.d, a.b.c, a.b, a; for IPv6 cut at colons. */
static enum key_result find_address(struct search *f, str addr)
{
	char sep = str_chr(addr, ':') >= 0 ? ':' : '.';
	enum key_result k = get(f, addr);

	while (k == KEY_NONE && table_partial_keys(f->table)) {
		ptrdiff_t at = str_rchr(addr, sep);
		if (at <= 0)
			break;
		addr = str_head(addr, at);
		k = get(f, addr);
	}
	return k;
}

/* user+ext@dom, user@dom, dom and parents, user+ext@, user@ */
static enum key_result find_mail(struct search *f, str address)
{
	struct arena *a = f->e->arena;
	str local, domain, user;
	enum key_result k = get(f, address);
	ptrdiff_t ext;

	if (k != KEY_NONE || !table_partial_keys(f->table))
		return k;
	addr_split(address, &local, &domain);
	ext = addr_extension(local, conf.recipient_delimiter, conf.owner_request_special,
	    str_of(conf.double_bounce_sender));
	user = ext >= 0 ? str_head(local, ext) : local;
	if (ext >= 0)
		k = get(f, str_of(arena_printf(a, "%.*s@%.*s", STR_FMT(user), STR_FMT(domain))));
	if (k == KEY_NONE && domain.n)
		k = find_domain(f, domain);
	if (k == KEY_NONE)
		k = get(f, str_of(arena_printf(a, "%.*s@", STR_FMT(local))));
	if (k == KEY_NONE && ext >= 0)
		k = get(f, str_of(arena_printf(a, "%.*s@", STR_FMT(user))));
	return k;
}

static enum outcome conclude(struct search *f, enum key_result k, struct subject about)
{
	enum outcome o = OUT_DUNNO;

	if (k == KEY_FAILED)
		o = eval_table_error(f->e, about);
	else if (k == KEY_FOUND)
		o = access_act(f->e, table_spec(f->table), buf_view(&f->value), about);
	buf_free(&f->value);
	return o;
}

/* --- what the DNS says of a name must not permit anything: who owns the name decides it */

static enum outcome no_ok(
    struct eval *e, const struct rule *r, struct subject about, enum outcome o)
{
	if (o != OUT_OK || e->s->tx.act.discard)
		return o;
	log_warn("restriction %s returns OK for %s", r->name, about.object);
	log_warn("this is not allowed for security reasons");
	log_warn("use DUNNO instead of OK if you want to make an exception");
	return eval_config_error(e);
}

enum outcome access_host_name(
    struct eval *e, const struct rule *r, str host, struct subject about, bool *found)
{
	struct search f = {.e = e, .table = r->table};
	enum key_result k = table_is_address(r->table) ? KEY_NONE : find_domain(&f, host);

	*found = k != KEY_NONE;
	return no_ok(e, r, about, conclude(&f, k, about));
}

enum outcome access_host_addr(
    struct eval *e, const struct rule *r, str addr, struct subject about, bool *found)
{
	struct search f = {.e = e, .table = r->table};
	enum key_result k = find_address(&f, addr);

	*found = k != KEY_NONE;
	return no_ok(e, r, about, conclude(&f, k, about));
}

/* --- restrictions */

enum outcome check_client_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	const struct client *c = &e->s->client;
	enum key_result k = KEY_NONE;

	if (!table_is_address(r->table))
		k = find_domain(&f, str_of(c->name));
	if (k == KEY_NONE)
		k = find_address(&f, str_of(c->addr));
	return conclude(&f, k, eval_client(e));
}

enum outcome check_reverse_client_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	const struct client *c = &e->s->client;
	struct subject about = {c->reverse_name, "Unverified Client host"};
	enum key_result k = KEY_NONE;

	if (!table_is_address(r->table))
		k = find_domain(&f, str_of(c->reverse_name));
	if (k == KEY_NONE)
		k = find_address(&f, str_of(c->addr));
	return no_ok(e, r, about, conclude(&f, k, about));
}

enum outcome check_helo_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};

	if (!e->s->helo)
		return OUT_DUNNO;
	return conclude(&f, find_domain(&f, str_of(e->s->helo)), eval_helo(e));
}

/* An address that routes by itself is ambiguous: the tables are not asked
 * (allow_untrusted_routing). */
static bool is_ambiguous(const struct resolved *route)
{
	return route && (route->flags & RESOLVE_ROUTED) && !(route->flags & RESOLVE_LOCAL) &&
	       !conf.allow_untrusted_routing;
}

enum outcome check_sender_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	str sender = e->s->tx.sender, null_key = str_of(conf.smtpd_null_access_lookup_key);
	const struct resolved *route;
	enum key_result k = KEY_NONE;

	if (!sender.p)
		return OUT_DUNNO;
	if (sender.n > 0) {
		route = eval_sender_route(e);
		if (is_ambiguous(route))
			return OUT_DUNNO;
		k = find_mail(&f, route ? route->recipient : sender);
	} else if (null_key.n > 0) {
		k = get(&f, null_key);
	}
	return conclude(&f, k, eval_sender(e));
}

enum outcome check_recipient_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	str rcpt = e->s->tx.rcpt;
	const struct resolved *route;

	if (rcpt.n == 0)
		return OUT_DUNNO;
	route = eval_rcpt_route(e);
	if (is_ambiguous(route))
		return OUT_DUNNO;
	return conclude(&f, find_mail(&f, route ? route->recipient : rcpt), eval_recipient(e));
}

enum outcome check_etrn_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};

	if (e->etrn.n == 0)
		return OUT_DUNNO;
	return conclude(&f, find_domain(&f, e->etrn),
	    (struct subject){arena_cstr(e->arena, e->etrn), "Etrn command"});
}

enum outcome check_sasl_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	const char *user = e->s->sasl_username;

	if (!conf.smtpd_sasl_auth_enable || !user)
		return OUT_DUNNO;
	if (*conf.smtpd_sasl_local_domain)
		user = arena_printf(e->arena, "%s@%s", user, conf.smtpd_sasl_local_domain);
	return conclude(&f, get(&f, str_of(user)), (struct subject){user, "SASL login name"});
}
