#include "base/hostaddr.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

/* inet_pton() wants a C string. */
static bool to_cstr(str text, char *out, size_t size)
{
	if (text.n == 0 || text.n >= size || memchr(text.p, 0, text.n))
		return false;
	memcpy(out, text.p, text.n);
	out[text.n] = 0;
	return true;
}

int hostaddr_parse(struct hostaddr *a, str text, uint16_t port, struct err *err)
{
	char z[HOSTADDR_TEXT];

	*a = (struct hostaddr){.len = 0};
	if (!to_cstr(text, z, sizeof(z)))
		return err_set(err, "bad network address \"%.*s\"", STR_FMT(str_head(text, 100)));
	if (inet_pton(AF_INET, z, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->len = sizeof(a->in);
	} else if (inet_pton(AF_INET6, z, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->len = sizeof(a->in6);
	} else {
		return err_set(err, "bad network address \"%s\"", z);
	}
	hostaddr_set_port(a, port);
	return 0;
}

/* The bytes that matter: an IPv4-mapped IPv6 address is an IPv4 address. NULL: neither. */
static const unsigned char *significant(const struct hostaddr *a, int *family)
{
	const unsigned char *six = a->in6.sin6_addr.s6_addr;

	*family = a->sa.sa_family;
	if (*family == AF_INET)
		return (const unsigned char *)&a->in.sin_addr;
	if (*family != AF_INET6)
		return NULL;
	if (!IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return six;
	*family = AF_INET;
	return six + 12;
}

char *hostaddr_text(const struct hostaddr *a, char out[HOSTADDR_TEXT])
{
	int family;
	const unsigned char *bytes = significant(a, &family);

	if (!bytes || !inet_ntop(family, bytes, out, HOSTADDR_TEXT))
		snprintf(out, HOSTADDR_TEXT, "unknown");
	return out;
}

uint16_t hostaddr_port(const struct hostaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}

void hostaddr_set_port(struct hostaddr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

bool hostaddr_eq(const struct hostaddr *a, const struct hostaddr *b)
{
	int fa, fb;
	const unsigned char *pa = significant(a, &fa), *pb = significant(b, &fb);

	if (!pa || !pb || fa != fb || memcmp(pa, pb, fa == AF_INET ? 4 : 16) != 0)
		return false;
	return fa == AF_INET || a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

bool hostaddr_is_numeric(str text)
{
	struct hostaddr a;

	return hostaddr_parse(&a, text, 0, NULL) == 0;
}

static int to_port(str port)
{
	uint64_t v;

	return str_to_u64(port, &v) && v > 0 && v < 65536 ? (int)v : -1;
}

/* A chroot has no /etc/services. */
static const char *known_ports = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";

void endpoint_set_known_ports(const char *list)
{
	known_ports = list;
}

/* 0: not one of them. */
static int known_port(str port, struct err *err)
{
	str rest = str_of(known_ports), item;

	while (str_word(&rest, ", \t\r\n", &item)) {
		str names = item, part, last = {0};
		bool found = false;

		while (str_split(&names, '=', &part)) {
			found = found || (names.p && str_eq(part, port));
			last = part;
		}
		if (!found)
			continue;
		return to_port(last) > 0 ? to_port(last)
					 : err_set(err, "known_tcp_ports: bad port in \"%.*s\"",
					       STR_FMT(str_head(item, 64)));
	}
	return 0;
}

int endpoint_port(str port, struct err *err)
{
	char name[64], data[1024];
	struct servent entry, *found = NULL;
	int n;

	if (str_is_digits(port)) {
		n = to_port(port);
		return n > 0 ? n : err_set(err, "bad port \"%.*s\"", STR_FMT(str_head(port, 64)));
	}
	if (!to_cstr(port, name, sizeof(name)))
		return err_set(err, "bad port \"%.*s\"", STR_FMT(str_head(port, 64)));
	n = known_port(port, err);
	if (n != 0)
		return n;
	if (getservbyname_r(name, "tcp", &entry, data, sizeof(data), &found) == 0 && found)
		return ntohs((uint16_t)found->s_port);
	return err_set(err, "unknown service: %s/tcp", name);
}

static int endpoint_inet(struct endpoint *e, str text, str whole, struct err *err)
{
	ptrdiff_t at;

	if (text.n && text.p[0] == '[') {
		at = str_chr(text, ']');
		if (at < 0)
			return err_set(err, "missing \"]\" in \"%.*s\"", STR_FMT(whole));
		e->host = str_from(str_head(text, (size_t)at), 1);
		text = str_from(text, (size_t)at + 1);
		if (text.n == 0 || text.p[0] != ':')
			return err_set(
			    err, "missing \":port\" after \"]\" in \"%.*s\"", STR_FMT(whole));
		if (e->host.n == 0)
			return err_set(err, "missing host in \"%.*s\"", STR_FMT(whole));
		e->port = str_from(text, 1);
	} else if ((at = str_chr(text, ':')) >= 0) {
		e->host = str_head(text, (size_t)at);
		e->port = str_from(text, (size_t)at + 1);
	} else {
		e->port = text;
	}
	if (str_chr(e->port, ':') >= 0)
		return err_set(err, "an IPv6 address needs [] in \"%.*s\"", STR_FMT(whole));
	if (e->port.n == 0)
		return err_set(err, "missing port in \"%.*s\"", STR_FMT(whole));
	return 0;
}

int endpoint_parse(struct endpoint *e, str text, struct err *err)
{
	*e = (struct endpoint){.host = STR(""), .port = STR(""), .path = STR("")};
	if (str_starts(text, STR("unix:"))) {
		e->is_unix = true;
		e->path = str_from(text, 5);
		if (e->path.n == 0)
			return err_set(err, "missing path in \"%.*s\"", STR_FMT(text));
		return 0;
	}
	if (str_starts(text, STR("inet:")))
		return endpoint_inet(e, str_from(text, 5), text, err);
	return endpoint_inet(e, text, text, err);
}
