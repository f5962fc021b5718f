#include "mail/own.h"

#include "base/mem.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "table/matchlist.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>

struct addr_list {
	struct hostaddr *v;
	size_t n;
	bool ready;
};
static struct addr_list interfaces, proxies;
static struct matchlist *mydestination;

static void add(struct addr_list *l, const struct sockaddr *sa)
{
	struct hostaddr a = {0};

	if (sa->sa_family == AF_INET)
		a.len = sizeof(a.in);
	else if (sa->sa_family == AF_INET6)
		a.len = sizeof(a.in6);
	else
		return;
	memcpy(&a.ss, sa, a.len);
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = a;
}

static void add_all(struct addr_list *l)
{
	struct ifaddrs *list, *i;

	if (getifaddrs(&list) < 0) {
		log_warn("cannot read the network interfaces: %m");
		return;
	}
	for (i = list; i; i = i->ifa_next)
		if (i->ifa_addr)
			add(l, i->ifa_addr);
	freeifaddrs(list);
}

static void add_name(struct addr_list *l, str word, const char *param)
{
	struct hostaddr a;
	struct addrinfo *list, *i;
	char *name;

	if (str_starts(word, STR("[")) && str_ends(word, STR("]")))
		word = str_head(str_from(word, 1), word.n - 2);
	if (hostaddr_parse(&a, word, 0, NULL) == 0) {
		add(l, &a.sa);
		return;
	}
	name = str_dup(word);
	if (getaddrinfo(name, NULL, NULL, &list) != 0) {
		log_warn("%s: host not found: %s", param, name);
	} else {
		for (i = list; i; i = i->ai_next)
			add(l, i->ai_addr);
		freeaddrinfo(list);
	}
	free(name);
}

static void fill(struct addr_list *l, const char *param, const char *text)
{
	str rest = str_of(text), word;

	if (l->ready)
		return;
	l->ready = true;
	while (str_word(&rest, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("all")))
			add_all(l);
		else if (str_eq_nocase(word, STR("loopback-only")))
			add_name(l, STR("localhost"), param);
		else
			add_name(l, word, param);
	}
}

static bool has(const struct addr_list *l, const struct hostaddr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (hostaddr_eq(&l->v[i], a))
			return true;
	return false;
}

static struct matchlist *destinations(void)
{
	if (!mydestination)
		mydestination = matchlist_open("mydestination", conf.mydestination, MATCH_STRING);
	return mydestination;
}

void own_setup(void)
{
	fill(&proxies, "proxy_interfaces", conf.proxy_interfaces);
	fill(&interfaces, "inet_interfaces", conf.inet_interfaces);
	destinations();
}

bool own_proxy_address(const struct hostaddr *a)
{
	fill(&proxies, "proxy_interfaces", conf.proxy_interfaces);
	return has(&proxies, a);
}

bool own_address(const struct hostaddr *a)
{
	fill(&interfaces, "inet_interfaces", conf.inet_interfaces);
	return has(&interfaces, a) || own_proxy_address(a);
}

enum table_result own_domain(str domain, struct err *err)
{
	enum table_result r = matchlist_name(destinations(), domain, err);
	struct hostaddr a;
	str ip;

	if (r == TABLE_NONE && addr_literal(domain, &ip) && hostaddr_parse(&a, ip, 0, err) == 0 &&
	    own_address(&a))
		return TABLE_FOUND;
	return r;
}
