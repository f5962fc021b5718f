/* Hosts as the system knows them. Where nsswitch.conf asks for no more than the hosts file and DNS,
 * both are asked here: getaddrinfo(3) would hold a thread of the pool for as long as a slow server
 * likes, and every client that connects chooses whose server that is. */
#include "base/mem.h"
#include "dns/dns_int.h"
#include "loop/work.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_ADDRS_MAX 100
#define NATIVE_THREADS 2     /* of the pool, that slow servers may hold at a time */
#define NATIVE_WAIT_MS 60000 /* for one of them */

static enum dns_status result_of(int code, struct err *why)
{
	if (code)
		err_set(why, "%s", gai_strerror(code));
	switch (code) {
	case 0:
		return DNS_OK;
	case EAI_NONAME:
		return DNS_NOTFOUND;
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return DNS_NODATA;
	case EAI_FAIL:
		return DNS_FAIL;
	default:
		return DNS_RETRY;
	}
}

static int code_of(enum dns_status s)
{
	switch (s) {
	case DNS_OK:
		return 0;
	case DNS_NOTFOUND:
		return EAI_NONAME;
	case DNS_NODATA:
	case DNS_INVALID:
		return EAI_NODATA;
	case DNS_FAIL:
		return EAI_FAIL;
	default:
		return EAI_AGAIN;
	}
}

/* The list under construction. */
struct found {
	struct hostaddr *list;
	size_t n, cap;
	struct arena *arena;
	int family;
};

static void found_add(struct found *f, const struct hostaddr *a)
{
	struct hostaddr *grown;

	if (f->n == HOST_ADDRS_MAX || (f->family != AF_UNSPEC && a->sa.sa_family != f->family))
		return;
	for (size_t i = 0; i < f->n; i++)
		if (hostaddr_eq(&f->list[i], a))
			return;
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 4;
		grown = arena_alloc(f->arena, f->cap * sizeof(*grown));
		if (f->n)
			memcpy(grown, f->list, f->n * sizeof(*grown));
		f->list = grown;
	}
	f->list[f->n] = *a;
	hostaddr_set_port(&f->list[f->n++], 0);
}

static bool from_hosts(struct found *f, const char *name)
{
	const struct dns_hosts *hosts = dns_hosts_get();
	struct buf lower = {0};
	struct hosts_addr *a;
	struct hostaddr own;
	bool known;

	buf_lower(&lower, str_of(name));
	if (str_ends(buf_view(&lower), STR(".")))
		buf_cut(&lower, lower.n - 1);
	a = htab_get(&hosts->names, buf_view(&lower));
	known = a != NULL;
	for (; a; a = a->next)
		found_add(f, &a->addr);
	if (!known && str_eq(buf_view(&lower), STR("localhost"))) { /* RFC 6761 6.3 */
		hostaddr_parse(&own, STR("::1"), 0, NULL);
		found_add(f, &own);
		hostaddr_parse(&own, STR("127.0.0.1"), 0, NULL);
		found_add(f, &own);
	}
	buf_free(&lower);
	return f->n > 0;
}

/* One family's look-up in a coroutine of its own, so that both are under way at once. */
struct half {
	const char *name;
	enum dns_type type;
	struct arena arena;
	struct dns_rr *rr;
	size_t n;
	enum dns_status status;
};

static void look_up_half(void *arg)
{
	struct half *h = arg;

	h->status =
	    dns_lookup(h->name, h->type, DNS_DEFNAMES | DNS_DNSRCH, &h->arena, &h->rr, &h->n, NULL);
}

static enum dns_status from_dns(struct found *f, const char *name)
{
	struct half halves[2] = {{.name = name, .type = DNS_AAAA}, {.name = name, .type = DNS_A}};
	enum dns_status s = DNS_NOTFOUND;
	struct scope scope;

	scope_init(&scope);
	if (f->family == AF_UNSPEC)
		co_start(&scope, "dns", look_up_half, &halves[0]);
	if (f->family != AF_INET6)
		look_up_half(&halves[1]);
	else
		look_up_half(&halves[0]);
	scope_join(&scope);
	for (int i = 0; i < 2; i++) {
		if (f->family != AF_UNSPEC && i == (f->family == AF_INET6))
			continue;
		for (size_t k = 0; k < halves[i].n; k++)
			found_add(f, &halves[i].rr[k].addr);
		if (halves[i].status != DNS_NOTFOUND && s != DNS_RETRY)
			s = halves[i].status;
		arena_free(&halves[i].arena);
	}
	return f->n ? DNS_OK : s == DNS_OK ? DNS_NODATA : s;
}

/* The system's own functions, in the thread pool. */

static struct sema *native_turn(void)
{
	static struct sema turn;
	static bool ready;

	if (!ready)
		sema_init(&turn, NATIVE_THREADS);
	ready = true;
	return &turn;
}

/* Takes its turn in the thread pool. May wait. */
static bool run_native(void (*fn)(void *), void *arg)
{
	if (!co_self()) {
		fn(arg);
		return true;
	}
	if (sema_take(native_turn(), deadline_in(NATIVE_WAIT_MS)) != WAIT_OK)
		return false;
	work_run(fn, arg);
	sema_give(native_turn());
	return true;
}

struct native {
	const char *name;
	int family;
	struct addrinfo *list;
	const struct hostaddr *addr;
	char host[NI_MAXHOST];
	int code;
};

static void native_addresses(void *arg)
{
	struct native *n = arg;
	struct addrinfo hints = {.ai_family = n->family, .ai_socktype = SOCK_STREAM};

	n->code = getaddrinfo(n->name, NULL, &hints, &n->list);
}

static void native_name(void *arg)
{
	struct native *n = arg;

	n->code =
	    getnameinfo(&n->addr->sa, n->addr->len, n->host, sizeof(n->host), NULL, 0, NI_NAMEREQD);
}

static int from_system(struct found *f, const char *name)
{
	struct native n = {.name = name, .family = f->family};
	struct hostaddr a;

	if (!run_native(native_addresses, &n))
		return EAI_AGAIN;
	if (n.code)
		return n.code;
	for (struct addrinfo *ai = n.list; ai; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(a.ss))
			continue;
		a = (struct hostaddr){.len = ai->ai_addrlen};
		memcpy(&a.ss, ai->ai_addr, ai->ai_addrlen);
		found_add(f, &a);
	}
	freeaddrinfo(n.list);
	return f->n ? 0 : EAI_NODATA;
}

enum dns_status dns_host_lookup(const char *name, int family, struct arena *arena,
    struct hostaddr **list, size_t *n, struct err *why)
{
	struct found f = {.arena = arena, .family = family};
	struct hostaddr literal;
	int code = 0;

	if (why)
		*why = (struct err){0};
	if (hostaddr_parse(&literal, str_of(name), 0, NULL) == 0) {
		found_add(&f, &literal);
		code = f.n ? 0 : EAI_ADDRFAMILY;
	} else if (!co_self() || !dns_nsswitch_is_plain()) {
		code = from_system(&f, name);
	} else if (!from_hosts(&f, name)) {
		code = code_of(from_dns(&f, name));
	}
	*list = f.list;
	*n = f.n;
	return result_of(code, why);
}

/* RFC 1035 3.5, RFC 3596 2.5. */
static void reverse_name(const struct hostaddr *a, char out[80])
{
	const unsigned char *p = (const unsigned char *)&a->in.sin_addr;
	size_t used = 0;

	if (a->sa.sa_family == AF_INET6) {
		p = a->in6.sin6_addr.s6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
			for (int i = 15; i >= 0; i--)
				used += (size_t)snprintf(
				    out + used, 80 - used, "%x.%x.", p[i] & 15, p[i] >> 4);
			snprintf(out + used, 80 - used, "ip6.arpa");
			return;
		}
		p += 12;
	}
	snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", p[3], p[2], p[1], p[0]);
}

static enum dns_status name_from_dns(
    const struct hostaddr *a, char *name, size_t size, struct err *why)
{
	char reverse[80];
	struct arena arena = {0};
	struct dns_rr *rr;
	enum dns_status s;
	size_t n;

	reverse_name(a, reverse);
	s = dns_lookup(reverse, DNS_PTR, 0, &arena, &rr, &n, NULL);
	if (s == DNS_OK && (!rr[0].data[0] || strlen(rr[0].data) >= size))
		s = DNS_NOTFOUND;
	if (s == DNS_OK)
		snprintf(name, size, "%s", rr[0].data);
	arena_free(&arena);
	/* getnameinfo() knows no other way to be without a name. */
	return result_of(s == DNS_OK ? 0 : s == DNS_RETRY ? EAI_AGAIN : EAI_NONAME, why);
}

static enum dns_status name_from_system(
    const struct hostaddr *a, char *name, size_t size, struct err *why)
{
	struct native *n = mem_zero(sizeof(*n));
	enum dns_status s;

	n->addr = a;
	if (!run_native(native_name, n))
		n->code = EAI_AGAIN;
	if (n->code == 0 && strlen(n->host) >= size)
		n->code = EAI_NONAME;
	s = result_of(n->code, why);
	if (s == DNS_OK)
		snprintf(name, size, "%s", n->host);
	free(n);
	return s;
}

enum dns_status dns_name_of(const struct hostaddr *a, char *name, size_t size, struct err *why)
{
	char text[HOSTADDR_TEXT];
	const char *known;

	if (why)
		*why = (struct err){0};
	name[0] = 0;
	if (!co_self() || !dns_nsswitch_is_plain())
		return name_from_system(a, name, size, why);
	known = htab_get(&dns_hosts_get()->addrs, str_of(hostaddr_text(a, text)));
	if (known && strlen(known) < size) {
		snprintf(name, size, "%s", known);
		return DNS_OK;
	}
	return name_from_dns(a, name, size, why);
}
