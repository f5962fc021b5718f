/* In which order hosts are tried, and how many. */
#include "smtp/smtp.h"

#include "param/param.h"

#include <stdlib.h>

/* Only among hosts of equal preference: smtp_address_preference. */
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
	long chance;
};

static int compare(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;

	if (x->h->pref != y->h->pref)
		return x->h->pref < y->h->pref ? -1 : 1;
	if (rank(x->h) != rank(y->h))
		return rank(x->h) - rank(y->h);
	return x->chance < y->chance ? -1 : x->chance > y->chance;
}

struct host *hosts_sort(struct arena *arena, struct host *list)
{
	struct host *h, *first = NULL, **tail = &first;
	struct sortable *v;
	size_t n = 0;

	for (h = list; h; h = h->next)
		n++;
	v = arena_alloc(arena, (n + 1) * sizeof(*v));
	n = 0;
	for (h = list; h; h = h->next, n++)
		v[n] = (struct sortable){h, conf.smtp_randomize_addresses ? random() : (long)n};
	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++) {
		*tail = v[i].h;
		tail = &v[i].h->next;
	}
	*tail = NULL;
	return first;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

struct host *hosts_limit(struct host *list)
{
	size_t limit = (size_t)conf.smtp_mx_address_limit, n4 = 0, n6 = 0, want4, want6;

	for (struct host *h = list; h; h = h->next)
		*(h->addr.sa.sa_family == AF_INET6 ? &n6 : &n4) += 1;
	if (limit == 0 || n4 + n6 <= limit)
		return list;
	want4 = want6 = limit; /* at most, of both together */
	if (conf.smtp_balance_inet_protocols && limit > 1) {
		want4 = limit - smaller(n6, limit / 2);
		want6 = limit - smaller(n4, limit / 2);
	}
	for (struct host **p = &list; *p;) {
		size_t *want = (*p)->addr.sa.sa_family == AF_INET6 ? &want6 : &want4;
		if (limit > 0 && *want > 0) {
			--*want;
			--limit;
			p = &(*p)->next;
		} else {
			*p = (*p)->next;
		}
	}
	return list;
}
