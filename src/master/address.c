/* Where an inet service listens: inet_interfaces, inet_protocols, and the host and port of its
 * name. */
#include "base/mem.h"
#include "master/master.h"
#include "param/param.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct addresses {
	struct hostaddr *v;
	size_t n;
	bool ipv4, ipv6;
	uint16_t port;
};

static void add(struct addresses *a, struct hostaddr addr)
{
	if (addr.sa.sa_family == AF_INET6 ? !a->ipv6 : !a->ipv4)
		return;
	hostaddr_set_port(&addr, a->port);
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].sa.sa_family == addr.sa.sa_family && hostaddr_eq(&a->v[i], &addr))
			return;
	a->v = mem_realloc(a->v, sizeof *a->v * (a->n + 1));
	a->v[a->n++] = addr;
}

static void add_numeric(struct addresses *a, const char *text)
{
	struct hostaddr addr;
	struct err err;

	if (hostaddr_parse(&addr, str_of(text), a->port, &err) == 0)
		add(a, addr);
}

/* "all" is both wildcards. */
static void add_any(struct addresses *a)
{
	add_numeric(a, "::");
	add_numeric(a, "0.0.0.0");
}

static int add_host(struct addresses *a, str host, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *p;
	struct hostaddr addr;
	char *name;
	int r;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_mem(host.p + 1, host.n - 2);
	if (hostaddr_parse(&addr, host, a->port, NULL) == 0) {
		add(a, addr);
		return 0;
	}
	name = str_dup(host);
	r = getaddrinfo(name, NULL, &hints, &list);
	free(name);
	if (r != 0)
		return err_set(err, "host not found: %.*s: %s", STR_FMT(host), gai_strerror(r));
	for (p = list; p; p = p->ai_next) {
		if (p->ai_addrlen > sizeof addr.ss)
			continue;
		memset(&addr, 0, sizeof addr);
		memcpy(&addr.ss, p->ai_addr, p->ai_addrlen);
		addr.len = p->ai_addrlen;
		add(a, addr);
	}
	freeaddrinfo(list);
	return 0;
}

static int add_interfaces(struct addresses *a, struct err *err)
{
	str rest = str_of(conf.inet_interfaces), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("all"))) {
			add_any(a);
		} else if (str_eq_nocase(word, STR("loopback-only"))) {
			add_numeric(a, "127.0.0.1");
			add_numeric(a, "::1");
		} else if (add_host(a, word, err) < 0) {
			return err_prefix(err, "inet_interfaces");
		}
	}
	return 0;
}

static int read_protocols(struct addresses *a, struct err *err)
{
	str rest = str_of(conf.inet_protocols), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		bool all = str_eq_nocase(word, STR("all")), v4 = str_eq_nocase(word, STR("ipv4")),
		     v6 = str_eq_nocase(word, STR("ipv6"));

		if (!all && !v4 && !v6)
			return err_set(
			    err, "inet_protocols: unknown protocol: %.*s", STR_FMT(word));
		a->ipv4 |= all || v4;
		a->ipv6 |= all || v6;
	}
	return 0;
}

int addresses_of(const struct master_service *s, struct hostaddr **v, size_t *n, struct err *err)
{
	struct addresses a = {0};
	struct endpoint e;
	int port, r;

	*v = NULL;
	*n = 0;
	if (endpoint_parse(&e, str_of(s->name), err) < 0 ||
	    (port = endpoint_port(e.port, err)) < 0 || read_protocols(&a, err) < 0)
		return err_prefix(err, "service %s", s->name);
	a.port = (uint16_t)port;
	if (e.host.n == 0)
		r = add_interfaces(&a, err);
	else if (str_eq(e.host, STR("*")))
		r = (add_any(&a), 0);
	else
		r = add_host(&a, e.host, err);
	if (r == 0 && a.n == 0)
		r = err_set(err,
		    "no address to listen on (inet_interfaces = %s, inet_protocols = %s)",
		    conf.inet_interfaces, conf.inet_protocols);
	if (r < 0) {
		free(a.v);
		return err_prefix(err, "service %s", s->name);
	}
	*v = a.v;
	*n = a.n;
	return 0;
}
