#include "smtpd/dnsbl.h"

#include "base/htab.h"
#include "dns/dns.h"
#include "log/log.h"
#include "loop/co.h"
#include "mail/addr.h"

#include <stdlib.h>

#define KEEP_MAX_S 60	/* an answer is believed for its TTL, but not for longer */
#define KEEP_COUNT 2000 /* names remembered */
#define REASON_MAX 1000

/* --- filter */

static bool octet(str s, unsigned char *out)
{
	uint64_t n;

	if (!str_to_u64(s, &n) || n > 255)
		return false;
	*out = (unsigned char)n;
	return true;
}

/* alternative = number / number ".." number */
static bool alternative(struct arena *a, str text, struct dnsbl_range **list)
{
	ptrdiff_t dots = str_find(text, STR(".."));
	struct dnsbl_range *r = arena_zero(a, sizeof(*r));

	if (!octet(dots < 0 ? text : str_head(text, (size_t)dots), &r->from))
		return false;
	r->to = r->from;
	if (dots >= 0 && (!octet(str_from(text, (size_t)dots + 2), &r->to) || r->to < r->from))
		return false;
	r->next = *list;
	*list = r;
	return true;
}

/* d = number / "[" alternative *( ";" alternative ) "]" */
static bool one_octet(struct arena *a, str text, struct dnsbl_range **list)
{
	str part;

	if (text.n < 2 || text.p[0] != '[' || text.p[text.n - 1] != ']')
		return text.n > 0 && str_find(text, STR("..")) < 0 && alternative(a, text, list);
	text = str_head(str_from(text, 1), text.n - 2);
	while (str_split(&text, ';', &part))
		if (!alternative(a, str_trim(part), list))
			return false;
	return true;
}

/* Cuts at the next dot that is not inside brackets. */
static str next_octet(str *rest)
{
	size_t i = 0;
	bool inside = false;
	str part;

	for (; i < rest->n && (inside || rest->p[i] != '.'); i++)
		inside = rest->p[i] == '[' || (inside && rest->p[i] != ']');
	part = str_head(*rest, i);
	*rest = i < rest->n ? str_from(*rest, i + 1) : (str){0};
	return part;
}

const struct dnsbl *dnsbl_parse(struct arena *a, str text, struct err *err)
{
	ptrdiff_t eq = str_chr(text, '=');
	str domain = eq < 0 ? text : str_head(text, (size_t)eq),
	    rest = str_from(text, (size_t)(eq + 1));
	struct dnsbl *l = arena_zero(a, sizeof(*l));

	if (!hostname_valid(domain, NULL)) {
		err_set(err, "\"%.*s\": need a domain", STR_FMT(text));
		return NULL;
	}
	l->domain = arena_cstr(a, domain);
	l->filtered = eq >= 0;
	if (!l->filtered)
		return l;
	for (int i = 0; i < 4; i++)
		if (!rest.p || !one_octet(a, next_octet(&rest), &l->octet[i])) {
			err_set(err, "\"%.*s\": need numbers 0..255 or [patterns] as d.d.d.d",
			    STR_FMT(text));
			return NULL;
		}
	if (rest.p) {
		err_set(err, "\"%.*s\": more than four numbers", STR_FMT(text));
		return NULL;
	}
	return l;
}

bool dnsbl_takes(const struct dnsbl *l, const unsigned char addr[4])
{
	for (int i = 0; l->filtered && i < 4; i++) {
		const struct dnsbl_range *r = l->octet[i];

		while (r && (addr[i] < r->from || addr[i] > r->to))
			r = r->next;
		if (!r)
			return false;
	}
	return true;
}

/* --- answers */

struct answer {
	int64_t until;
	bool failed;
	size_t n;
	unsigned char addr[][4];
};
static struct htab answers; /* question -> struct answer */

static const struct answer *remember(str question, struct answer *a)
{
	free(htab_del(&answers, question));
	if (answers.count >= KEEP_COUNT)
		htab_free(&answers, free);
	htab_set(&answers, question, a);
	return a;
}

static const struct answer *look_up(const char *question, struct arena *arena)
{
	const struct answer *known = htab_get(&answers, str_of(question));
	struct dns_result res;
	struct answer *a;
	uint32_t ttl = KEEP_MAX_S;
	enum dns_status d;
	struct err err;

	if (known && known->until > loop_now())
		return known;
	d = dns_query(question, DNS_A, 0, arena, &res, &err);
	if (d != DNS_OK)
		res.n = 0;
	a = mem_zero(sizeof(*a) + res.n * sizeof(a->addr[0]));
	a->failed = d == DNS_RETRY || d == DNS_FAIL || d == DNS_INVALID;
	if (a->failed)
		log_warn("%s: RBL lookup error: %s", question, err.text);
	for (size_t i = 0; i < res.n; i++) {
		memcpy(a->addr[a->n++], &res.rr[i].addr.in.sin_addr, 4);
		if (res.rr[i].ttl < ttl)
			ttl = res.rr[i].ttl;
	}
	a->until = loop_now() + (a->failed ? 1 : ttl) * 1000L;
	return remember(str_of(question), a);
}

enum dnsbl_answer dnsbl_ask_name(const struct dnsbl *l, str name, struct arena *a)
{
	char *question = arena_printf(a, "%.*s.%s", STR_FMT(name), l->domain);
	const struct answer *got;

	if (strlen(question) >= DNS_NAME_MAX)
		return DNSBL_NOT_LISTED;
	for (char *p = question; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	got = look_up(question, a);
	if (got->failed)
		return DNSBL_FAILED;
	for (size_t i = 0; i < got->n; i++)
		if (dnsbl_takes(l, got->addr[i]))
			return DNSBL_LISTED;
	return DNSBL_NOT_LISTED;
}

/* 192.0.2.1 -> 1.2.0.192; IPv6 by nibbles, the last first (RFC 5782 2.1, 2.4) */
static str reverse(const struct hostaddr *addr, struct arena *a)
{
	const unsigned char *b;
	struct buf out = {0};
	str text;

	if (addr->sa.sa_family == AF_INET) {
		b = (const unsigned char *)&addr->in.sin_addr;
		return str_of(arena_printf(a, "%d.%d.%d.%d", b[3], b[2], b[1], b[0]));
	}
	b = (const unsigned char *)&addr->in6.sin6_addr;
	for (int i = 15; i >= 0; i--)
		buf_printf(&out, "%s%x.%x", i < 15 ? "." : "", b[i] & 15, b[i] >> 4);
	text = arena_str(a, buf_view(&out));
	buf_free(&out);
	return text;
}

enum dnsbl_answer dnsbl_ask_addr(
    const struct dnsbl *l, const struct hostaddr *addr, struct arena *a, str *reversed)
{
	if (addr->len == 0)
		return DNSBL_NOT_LISTED;
	*reversed = reverse(addr, a);
	return dnsbl_ask_name(l, *reversed, a);
}

const char *dnsbl_reason(const struct dnsbl *l, str name, struct arena *a)
{
	const char *question = arena_printf(a, "%.*s.%s", STR_FMT(name), l->domain);
	struct buf text = {0};
	struct dns_rr *rr;
	const char *reason;
	struct err err;
	size_t n;

	if (dns_lookup(question, DNS_TXT, 0, a, &rr, &n, &err) != DNS_OK)
		return "";
	for (size_t i = 0; i < n && text.n < REASON_MAX; i++)
		buf_printf(&text, "%s%s", i ? " / " : "", rr[i].data);
	buf_cut(&text, REASON_MAX);
	reason = arena_cstr(a, buf_view(&text));
	buf_free(&text);
	return reason;
}
