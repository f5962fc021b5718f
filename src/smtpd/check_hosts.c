/* check_*_{a,mx,ns}_access: the hosts that the DNS gives for a name, looked up in tables. */
#include "smtpd/access.h"
#include "smtpd/rules.h"

#include "dns/dns.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"

#define HOSTS_MAX 100 /* names and addresses looked up for one restriction */

/* A question under way. */
struct hosts {
	struct eval *e;
	const struct rule *r;
	struct subject about;
	int asked;
	bool found; /* an entry: it decides, DUNNO too */
};

static enum outcome look_at_addr(struct hosts *h, str addr)
{
	if (h->asked++ >= HOSTS_MAX)
		return OUT_DUNNO;
	return access_host_addr(h->e, h->r, addr, h->about, &h->found);
}

/* Addresses of the kinds that we use (inet_protocols). */
static int family(void)
{
	if (strcasecmp(conf.inet_protocols, "ipv4") == 0)
		return AF_INET;
	return strcasecmp(conf.inet_protocols, "ipv6") == 0 ? AF_INET6 : AF_UNSPEC;
}

static enum dns_status look_at_addrs(
    struct hosts *h, const char *host, enum outcome *o, struct err *err)
{
	char text[HOSTADDR_TEXT];
	struct hostaddr *a;
	enum dns_status status;
	size_t n;

	*o = OUT_DUNNO;
	status = dns_host_lookup(host, family(), h->e->arena, &a, &n, err);
	if (status == DNS_OK)
		for (size_t i = 0; i < n && !h->found; i++)
			*o = look_at_addr(h, str_of(hostaddr_text(&a[i], text)));
	return status;
}

/* The name of a host, then its addresses. */
static enum outcome look_at_host(struct hosts *h, const char *host, const char *what)
{
	enum outcome o;
	struct err err;

	if (h->asked++ >= HOSTS_MAX)
		return OUT_DUNNO;
	o = access_host_name(h->e, h->r, str_of(host), h->about, &h->found);
	if (h->found)
		return o;
	if (look_at_addrs(h, host, &o, &err) != DNS_OK)
		log_warn("Unable to look up %s host %s for %s %s: %s", what, host, h->about.class,
		    h->about.object, err.text);
	return o;
}

static enum outcome look_at_all(
    struct hosts *h, const struct dns_rr *rr, size_t n, const char *what)
{
	enum outcome o = OUT_DUNNO;

	for (size_t i = 0; i < n && !h->found; i++)
		if (*rr[i].data) /* null MX */
			o = look_at_host(h, rr[i].data, what);
	return o;
}

typedef enum outcome (*host_kind)(struct hosts *h, const char *name);

/* The name itself is for check_*_access. */
static enum outcome by_address(struct hosts *h, const char *name)
{
	enum outcome o;
	struct err err;

	look_at_addrs(h, name, &o, &err);
	return o;
}

static enum outcome by_mx(struct hosts *h, const char *name)
{
	struct dns_rr *rr;
	struct err err;
	size_t n;

	switch (dns_lookup(name, DNS_MX, 0, h->e->arena, &rr, &n, &err)) {
	case DNS_OK:
		return look_at_all(h, rr, n, "MX");
	case DNS_NOTFOUND:
	case DNS_NODATA:
		return look_at_host(h, name, "MX");
	default:
		log_warn("Unable to look up MX host for %s: %s", name, err.text);
		return OUT_DUNNO;
	}
}

/* The servers of the name, or of the first parent domain that has some. */
static enum outcome by_ns(struct hosts *h, const char *name)
{
	struct dns_rr *rr;
	struct err err;
	size_t n;

	for (const char *zone = name; strchr(zone, '.'); zone = strchr(zone, '.') + 1)
		switch (dns_lookup(zone, DNS_NS, 0, h->e->arena, &rr, &n, &err)) {
		case DNS_OK:
			return look_at_all(h, rr, n, "NS");
		case DNS_NOTFOUND:
		case DNS_NODATA:
			break;
		default:
			log_warn("Unable to look up NS host for %s: %s", zone, err.text);
			return OUT_DUNNO;
		}
	return OUT_DUNNO;
}

static enum outcome check(
    struct eval *e, const struct rule *r, str domain, struct subject about, host_kind kind)
{
	struct hosts h = {.e = e, .r = r, .about = about};
	struct buf ascii = {0};
	enum outcome o = OUT_DUNNO;
	str ip;

	if (str_ends(domain, STR(".")))
		domain = str_head(domain, domain.n - 1);
	if (addr_literal(domain, &ip))
		return kind == by_ns ? OUT_DUNNO : look_at_addr(&h, ip);
	if (domain.n && addr_domain_to_ascii(&ascii, domain) &&
	    hostname_valid(buf_view(&ascii), NULL))
		o = kind(&h, arena_cstr(e->arena, buf_view(&ascii)));
	buf_free(&ascii);
	return o;
}

static enum outcome of_client(struct eval *e, const struct rule *r, host_kind kind)
{
	const char *name = e->s->client.name;

	if (strcmp(name, "unknown") == 0)
		return OUT_DUNNO;
	return check(e, r, str_of(name), eval_client(e), kind);
}

static enum outcome of_reverse(struct eval *e, const struct rule *r, host_kind kind)
{
	const char *name = e->s->client.reverse_name;

	if (strcmp(name, "unknown") == 0)
		return OUT_DUNNO;
	return check(e, r, str_of(name), (struct subject){name, "Unverified Client host"}, kind);
}

static enum outcome of_helo(struct eval *e, const struct rule *r, host_kind kind)
{
	return e->s->helo ? check(e, r, str_of(e->s->helo), eval_helo(e), kind) : OUT_DUNNO;
}

static enum outcome of_sender(struct eval *e, const struct rule *r, host_kind kind)
{
	return check(e, r, addr_domain(e->s->tx.sender), eval_sender(e), kind);
}

static enum outcome of_recipient(struct eval *e, const struct rule *r, host_kind kind)
{
	return check(e, r, addr_domain(e->s->tx.rcpt), eval_recipient(e), kind);
}

#define CHECKS(name, of)                                                                           \
	enum outcome check_##name##_a_access(struct eval *e, const struct rule *r)                 \
	{                                                                                          \
		return of(e, r, by_address);                                                       \
	}                                                                                          \
	enum outcome check_##name##_mx_access(struct eval *e, const struct rule *r)                \
	{                                                                                          \
		return of(e, r, by_mx);                                                            \
	}                                                                                          \
	enum outcome check_##name##_ns_access(struct eval *e, const struct rule *r)                \
	{                                                                                          \
		return of(e, r, by_ns);                                                            \
	}

CHECKS(client, of_client)
CHECKS(reverse_client, of_reverse)
CHECKS(helo, of_helo)
CHECKS(sender, of_sender)
CHECKS(recipient, of_recipient)
