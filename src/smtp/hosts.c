/* Which addresses a next hop has, in the order in which they are tried (RFC 5321 5.1). */
#include "smtp/smtp.h"

#include "dns/dns.h"
#include "log/log.h"
#include "mail/addr.h"
#include "mail/own.h"
#include "param/param.h"

#include <stdio.h>
#include <stdlib.h>

static bool use_dns, use_native, ignore_mx_error;
static int families[2], nfamilies;

void hosts_setup(void)
{
	str rest = str_of(conf.smtp_host_lookup), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		use_dns |= str_eq_nocase(word, STR("dns"));
		use_native |= str_eq_nocase(word, STR("native"));
	}
	if (strcasecmp(conf.smtp_dns_support_level, "disabled") == 0) {
		use_dns = false;
		use_native = true;
	}
	ignore_mx_error = conf.ignore_mx_lookup_error;
	rest = str_of(conf.inet_protocols);
	while (str_word(&rest, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("ipv4")) || str_eq_nocase(word, STR("all")))
			families[nfamilies++] = AF_INET;
		if (nfamilies < 2 &&
		    (str_eq_nocase(word, STR("ipv6")) || str_eq_nocase(word, STR("all"))))
			families[nfamilies++] = AF_INET6;
	}
}

static struct host *new_host(
    struct delivery *d, const char *name, const struct hostaddr *a, unsigned pref)
{
	struct host *h = arena_zero(&d->arena, sizeof(*h));

	h->name = name;
	h->addr = *a;
	h->pref = pref;
	return h;
}

static void add(struct host ***tail, struct host *h)
{
	**tail = h;
	*tail = &h->next;
}

static void set_trouble(
    struct delivery *d, enum dns_status status, const char *text, struct trouble *t)
{
	*t = (struct trouble){
	    .permanent =
		status != DNS_RETRY && !conf.soft_bounce && !conf.smtp_defer_if_no_mx_address_found,
	    .dsn = status == DNS_RETRY ? "4.4.3" : "5.4.4",
	    .text = arena_cstr(&d->arena, str_of(text)),
	    .relay = "none",
	};
	if (!t->permanent && t->dsn[0] == '5')
		t->dsn = "4.4.4";
}

/* Addresses of one name, appended at *tail. The status of the last look-up that failed, DNS_OK when
 * any address was found. */
static enum dns_status addresses(
    struct delivery *d, const char *name, unsigned pref, struct host ***tail, struct trouble *t)
{
	struct hostaddr literal, *native;
	enum dns_status status = DNS_NOTFOUND, one;
	struct dns_rr *rr;
	struct err err;
	bool found = false;
	size_t n;

	if (hostaddr_parse(&literal, str_of(name), 0, NULL) == 0) {
		add(tail, new_host(d, name, &literal, pref));
		return DNS_OK;
	}
	for (int f = 0; use_dns && f < nfamilies; f++) {
		one = dns_lookup(
		    name, families[f] == AF_INET ? DNS_A : DNS_AAAA, 0, &d->arena, &rr, &n, &err);
		for (size_t i = 0; one == DNS_OK && i < n; i++)
			if (rr[i].type == DNS_A || rr[i].type == DNS_AAAA) {
				add(tail, new_host(d, name, &rr[i].addr, pref));
				found = true;
			}
		if (one != DNS_OK && (status != DNS_RETRY)) {
			status = one;
			set_trouble(d, one, err.text, t);
		}
	}
	if (!found && use_native && status != DNS_RETRY) {
		one = dns_host_lookup(
		    name, nfamilies == 2 ? AF_UNSPEC : families[0], &d->arena, &native, &n, &err);
		for (size_t i = 0; one == DNS_OK && i < n; i++) {
			add(tail, new_host(d, name, &native[i], pref));
			found = true;
		}
		if (one != DNS_OK) {
			status = one;
			set_trouble(d, one, err.text, t);
		}
	}
	return found ? DNS_OK : status;
}

/* Hosts of equal preference in random order; IPv6 and IPv4 as smtp_address_preference says. */
static int rank(const struct host *h)
{
	if (strcasecmp(conf.smtp_address_preference, "ipv4") == 0)
		return h->addr.sa.sa_family != AF_INET;
	if (strcasecmp(conf.smtp_address_preference, "ipv6") == 0)
		return h->addr.sa.sa_family != AF_INET6;
	return 0;
}

struct sortable {
	struct host *h;
	long shuffle;
};

static int by_order(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;

	if (x->h->pref != y->h->pref)
		return x->h->pref < y->h->pref ? -1 : 1;
	if (rank(x->h) != rank(y->h))
		return rank(x->h) - rank(y->h);
	return x->shuffle < y->shuffle ? -1 : x->shuffle > y->shuffle;
}

static struct host *sorted(struct delivery *d, struct host *list)
{
	struct host *h, *first = NULL, **tail = &first;
	struct sortable *v;
	size_t n = 0;

	for (h = list; h; h = h->next)
		n++;
	v = arena_alloc(&d->arena, n * sizeof(*v));
	n = 0;
	for (h = list; h; h = h->next)
		v[n++] = (struct sortable){h, conf.smtp_randomize_addresses ? random() : (long)n};
	qsort(v, n, sizeof(*v), by_order);
	for (size_t i = 0; i < n; i++) {
		*tail = v[i].h;
		tail = &v[i].h->next;
	}
	*tail = NULL;
	return first;
}

/* RFC 5321 5.1: hosts that are no better than ourselves are left out. */
static struct host *without_loops(
    struct delivery *d, struct host *list, str domain, struct trouble *t)
{
	struct host *h, **p;
	unsigned self = 0;
	bool found = false;

	for (h = list; h; h = h->next)
		if (own_address(&h->addr) && (!found || h->pref < self)) {
			self = h->pref;
			found = true;
		}
	if (!found)
		return list;
	for (p = &list; *p;)
		if ((*p)->pref >= self)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	if (!list)
		*t = (struct trouble){
		    .permanent = true,
		    .dsn = "5.4.6",
		    .text = arena_printf(
			&d->arena, "mail for %.*s loops back to myself", STR_FMT(domain)),
		    .relay = "none",
		};
	return list;
}

static struct host *mx_hosts(
    struct delivery *d, const struct nexthop *n, const char *name, struct trouble *t)
{
	struct host *first = NULL, **tail = &first;
	enum dns_status status, best = DNS_NOTFOUND;
	struct dns_rr *rr;
	struct err err;
	size_t count, used = 0;

	status = dns_lookup(name, DNS_MX, 0, &d->arena, &rr, &count, &err);
	if (status == DNS_RETRY && !ignore_mx_error) {
		set_trouble(d, status, err.text, t);
		return NULL;
	}
	if (status == DNS_OK && count == 1 && rr[0].type == DNS_MX && rr[0].name[0] &&
	    !rr[0].data[0]) {
		*t = (struct trouble){
		    .permanent = true,
		    .dsn = "5.1.0",
		    .text =
			arena_printf(&d->arena, "Domain %s does not accept mail (nullMX)", name),
		    .relay = "none",
		};
		return NULL;
	}
	if (status != DNS_OK) {
		addresses(d, name, 0, &tail, t);
		return first ? sorted(d, first) : NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (rr[i].type != DNS_MX)
			continue;
		used++;
		status = addresses(d, rr[i].data, rr[i].pref, &tail, t);
		if (status == DNS_RETRY)
			best = DNS_RETRY;
	}
	if (!first) {
		if (best == DNS_RETRY && t->permanent)
			*t = (struct trouble){.dsn = "4.4.3", .text = t->text, .relay = "none"};
		return NULL;
	}
	return without_loops(d, sorted(d, first), n->host, t);
}

struct host *hosts_find(struct delivery *d, const struct nexthop *n, struct trouble *t)
{
	struct host *first = NULL, **tail = &first;
	struct buf ascii = {0};
	const char *name;

	if (n->is_unix) {
		first = arena_zero(&d->arena, sizeof(*first));
		first->name = conf.myhostname;
		first->path = arena_cstr(&d->arena, n->host);
		return first;
	}
	if (addr_domain_to_ascii(&ascii, n->host))
		name = arena_cstr(&d->arena, buf_view(&ascii));
	else
		name = arena_cstr(&d->arena, n->host);
	buf_free(&ascii);
	if (use_dns && !n->no_mx && !hostaddr_is_numeric(str_of(name)) && !smtp_is_lmtp())
		first = mx_hosts(d, n, name, t);
	else if (addresses(d, name, 0, &tail, t) == DNS_OK)
		first = sorted(d, first);
	for (struct host *h = first; h; h = h->next)
		hostaddr_set_port(&h->addr, n->port);
	return first;
}
