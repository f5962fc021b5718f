/* Which addresses a next hop has (RFC 5321 5.1). */
#include "smtp/smtp.h"

#include "dns/dns.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/own.h"
#include "param/param.h"
#include "table/table.h"

#include <stdlib.h>

static bool use_dns, use_native, no_mx;
static unsigned resolver_flags;
static int families[2], nfamilies;
static int loop_port;
static struct maps *reply_filter;

static bool listed(const char *list, const char *wanted)
{
	str rest = str_of(list), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq_nocase(word, str_of(wanted)))
			return true;
	return false;
}

void hosts_setup(void)
{
	use_dns = listed(conf.smtp_host_lookup, "dns");
	use_native = listed(conf.smtp_host_lookup, "native");
	no_mx =
	    conf.disable_dns_lookups || strcasecmp(conf.smtp_dns_support_level, "disabled") == 0;
	if (no_mx) {
		use_dns = false;
		use_native = true;
	}
	if (listed(conf.smtp_dns_resolver_options, "res_defnames"))
		resolver_flags |= DNS_DEFNAMES;
	if (listed(conf.smtp_dns_resolver_options, "res_dnsrch"))
		resolver_flags |= DNS_DNSRCH;
	if (listed(conf.inet_protocols, "ipv6") || listed(conf.inet_protocols, "all"))
		families[nfamilies++] = AF_INET6;
	if (listed(conf.inet_protocols, "ipv4") || listed(conf.inet_protocols, "all"))
		families[nfamilies++] = AF_INET;
	reply_filter = maps_open("smtp_dns_reply_filter", conf.smtp_dns_reply_filter, TABLE_FOLD);
	loop_port = endpoint_port(STR("smtp"), NULL);
	own_address(&(struct hostaddr){.sa.sa_family = AF_UNSPEC}); /* reads the interfaces now */
}

/* --- look-ups */

/* The search for one next hop. */
struct search {
	struct delivery *d;
	struct host *first, **tail;
	struct trouble t; /* the last one */
	bool try_later;	  /* some look-up may do better another time */
};

static void failed(struct search *s, enum dns_status status, const char *text)
{
	const char *dsn = status == DNS_RETRY ? "4.4.3" : status == DNS_FAIL ? "5.4.3" : "5.4.4";

	s->try_later |= status == DNS_RETRY;
	s->t = (struct trouble){
	    .permanent = status != DNS_RETRY,
	    .dsn = dsn,
	    .text = arena_cstr(&s->d->arena, str_of(text)),
	    .relay = "none",
	};
}

/* smtp_dns_reply_filter takes records away; -1: all of them. */
static int filter(
    struct search *s, const char *name, enum dns_type type, struct dns_rr *rr, size_t *n)
{
	size_t kept = 0;

	if (maps_empty(reply_filter) || *n == 0)
		return 0;
	for (size_t i = 0; i < *n; i++) {
		struct buf text = {0}, action = {0};
		enum table_result r;
		struct err err;
		dns_rr_text(&rr[i], &text);
		r = maps_get(reply_filter, buf_view(&text), &action, &err);
		if (r == TABLE_FOUND && str_eq_nocase(buf_view(&action), STR("IGNORE"))) {
			log_info("ignoring DNS RR: %s", buf_text(&text));
		} else {
			if (r != TABLE_NONE)
				log_warn("smtp_dns_reply_filter: %s",
				    r == TABLE_ERROR ? err.text : "unknown action");
			rr[kept++] = rr[i];
		}
		buf_free(&text);
		buf_free(&action);
	}
	*n = kept;
	if (kept > 0)
		return 0;
	s->try_later = true;
	s->t = (struct trouble){
	    .dsn = "4.7.0",
	    .text = arena_printf(&s->d->arena,
		"Error looking up name=%s type=%s: DNS reply filter drops all results", name,
		dns_type_name(type)),
	    .relay = "none",
	};
	return -1;
}

static void add(struct search *s, const char *name, const struct hostaddr *a, unsigned pref)
{
	struct host *h = arena_zero(&s->d->arena, sizeof(*h));

	h->name = name;
	h->addr = *a;
	h->pref = pref;
	*s->tail = h;
	s->tail = &h->next;
}

/* How many addresses of one family the DNS has for name. */
static size_t from_dns(struct search *s, const char *name, unsigned pref, int family)
{
	enum dns_type type = family == AF_INET ? DNS_A : DNS_AAAA;
	enum dns_status status;
	struct dns_rr *rr;
	size_t n, found = 0;
	struct err err;

	status = dns_lookup(name, type, resolver_flags, &s->d->arena, &rr, &n, &err);
	if (status != DNS_OK) {
		failed(s, status, err.text);
		return 0;
	}
	if (filter(s, name, type, rr, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (rr[i].type == type) {
			add(s, conf.smtp_cname_overrides_servername ? rr[i].name : name,
			    &rr[i].addr, pref);
			found++;
		}
	return found;
}

static size_t from_system(struct search *s, const char *name, unsigned pref)
{
	struct hostaddr *list;
	enum dns_status status;
	struct err err;
	size_t n;

	status = dns_host_lookup(
	    name, nfamilies == 2 ? AF_UNSPEC : families[0], &s->d->arena, &list, &n, &err);
	if (status != DNS_OK) {
		failed(s, status,
		    arena_printf(&s->d->arena, "unable to look up host %s: %s", name, err.text));
		if (status == DNS_RETRY)
			s->t.dsn = "4.4.4";
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		add(s, name, &list[i], pref);
	return n;
}

static bool family_wanted(const struct hostaddr *a)
{
	for (int i = 0; i < nfamilies; i++)
		if (families[i] == a->sa.sa_family)
			return true;
	return false;
}

/* The addresses of one host. */
static size_t from_host(struct search *s, const char *name, unsigned pref)
{
	struct hostaddr literal;
	size_t found = 0;

	if (hostaddr_parse(&literal, str_of(name), 0, NULL) == 0) {
		if (!family_wanted(&literal)) {
			failed(s, DNS_NODATA,
			    arena_printf(&s->d->arena,
				"Name service error for %s: invalid host or domain name", name));
			return 0;
		}
		add(s, name, &literal, pref);
		return 1;
	}
	for (int f = 0; use_dns && f < nfamilies; f++)
		found += from_dns(s, name, pref, families[f]);
	if (found == 0 && use_native && (!use_dns || !s->try_later))
		found = from_system(s, name, pref);
	return found;
}

/* --- mail exchangers */

/* RFC 5321 5.1: of the hosts those are left out that are no better than ourselves. */
static void leave_out_self(struct search *s, str domain, struct hosts *found)
{
	unsigned self = 0;

	for (struct host *h = s->first; h; h = h->next)
		if ((!found->is_mx || h->pref < self) &&
		    (own_address(&h->addr) || own_proxy_address(&h->addr))) {
			self = h->pref;
			found->is_mx = true;
		}
	if (!found->is_mx)
		return;
	for (struct host **p = &s->first; *p;)
		if ((*p)->pref >= self)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	found->is_best_mx = s->first == NULL;
	s->t = (struct trouble){
	    .permanent = true,
	    .dsn = "5.4.6",
	    .text =
		arena_printf(&s->d->arena, "mail for %.*s loops back to myself", STR_FMT(domain)),
	    .relay = "none",
	};
}

static void from_mx_list(struct search *s, const char *domain, const struct dns_rr *rr, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rr[i].type != DNS_MX)
			continue;
		if (hostaddr_is_numeric(str_of(rr[i].data)))
			log_warn("numeric domain name in resource data of MX record for %s: %s",
			    domain, rr[i].data);
		from_host(s, rr[i].data, rr[i].pref);
	}
	if (s->first)
		return;
	log_warn("no MX host for %s has a valid address record", domain);
	s->try_later |= conf.smtp_defer_if_no_mx_address_found;
}

/* By MX records, or the domain's own addresses when it has none. */
static void from_domain(struct search *s, const char *domain)
{
	enum dns_status status;
	struct dns_rr *rr;
	struct err err;
	size_t n;

	status = dns_lookup(domain, DNS_MX, resolver_flags, &s->d->arena, &rr, &n, &err);
	if (status == DNS_OK && dns_is_null_mx(rr, n)) {
		s->t = (struct trouble){
		    .permanent = true,
		    .dsn = "5.1.0",
		    .text = arena_printf(
			&s->d->arena, "Domain %s does not accept mail (nullMX)", domain),
		    .relay = "none",
		};
	} else if (status == DNS_OK) {
		if (filter(s, domain, DNS_MX, rr, &n) == 0)
			from_mx_list(s, domain, rr, n);
	} else if (status == DNS_NODATA || status == DNS_NOTFOUND ||
		   (status == DNS_RETRY && conf.ignore_mx_lookup_error)) {
		from_host(s, domain, 0);
	} else {
		failed(s, status, err.text);
	}
}

/* --- */

static const char *ascii_name(struct delivery *d, str name)
{
	struct buf ascii = {0};
	const char *out;

	if (!str_is_ascii(name) && addr_domain_to_ascii(&ascii, name))
		name = buf_view(&ascii);
	out = arena_cstr(&d->arena, name);
	buf_free(&ascii);
	return out;
}

static struct host *socket_host(struct delivery *d, str path)
{
	struct host *h = arena_zero(&d->arena, sizeof(*h));

	h->name = conf.myhostname;
	h->path = arena_cstr(&d->arena, path);
	return h;
}

void hosts_find(struct delivery *d, const struct nexthop *n, struct hosts *found, struct trouble *t)
{
	struct search s = {.d = d};
	const char *name;

	*found = (struct hosts){0};
	if (n->is_unix) {
		found->list = socket_host(d, n->host);
		return;
	}
	s.tail = &s.first;
	name = ascii_name(d, n->host);
	if (no_mx || n->no_mx || smtp_is_lmtp() || hostaddr_is_numeric(str_of(name)))
		from_host(&s, name, 0);
	else
		from_domain(&s, name);
	if (n->port == loop_port && !smtp_is_lmtp())
		leave_out_self(&s, n->host, found);
	for (struct host *h = s.first; h; h = h->next)
		hostaddr_set_port(&h->addr, n->port);
	found->list = hosts_limit(hosts_sort(&d->arena, s.first));
	if (found->list)
		return;
	if (s.t.permanent && s.try_later) {
		s.t.permanent = false;
		s.t.dsn = arena_printf(&d->arena, "4%s", s.t.dsn + 1);
	}
	*t = s.t;
}
