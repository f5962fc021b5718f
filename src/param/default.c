/* Defaults that depend on the machine. */
#include "base/hostaddr.h"
#include "param/scope.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

static const char *value_of(struct param_scope *s, str name)
{
	const char *value = NULL;

	return param_value(s, name, &value, NULL) == 0 && value ? value : "";
}

/* The host's name; a domain is added when it has none. */
static void default_myhostname(struct param_scope *s, struct buf *out)
{
	char name[256] = "localhost";

	if (gethostname(name, sizeof(name) - 1) != 0 || !hostname_valid(str_of(name), NULL))
		strcpy(name, "localhost");
	buf_cstr(out, name);
	if (strchr(name, '.'))
		return;
	const char *domain = param_busy(s, STR("mydomain")) ? "" : s->raw(s->ctx, STR("mydomain"));
	buf_printf(out, ".%s", domain && *domain ? value_of(s, STR("mydomain")) : "localdomain");
}

/* myhostname without its first label. */
static void default_mydomain(struct param_scope *s, struct buf *out)
{
	const char *host = param_busy(s, STR("myhostname")) ? "" : value_of(s, STR("myhostname"));
	const char *dot = strchr(host, '.');

	buf_cstr(out, dot && dot[1] ? dot + 1 : "localdomain");
}

struct network {
	int family, bits;
	unsigned char addr[16];
};

static int mask_bits(const struct sockaddr *mask, int family)
{
	const unsigned char *p = NULL;
	int size = family == AF_INET ? 4 : 16, bits = 0;

	if (!mask)
		return size * 8;
	p = family == AF_INET
		? (const unsigned char *)&((const struct sockaddr_in *)mask)->sin_addr
		: (const unsigned char *)&((const struct sockaddr_in6 *)mask)->sin6_addr;
	while (bits < size * 8 && (p[bits / 8] & (0x80 >> bits % 8)))
		bits++;
	return bits;
}

static bool network_from(struct network *n, const struct ifaddrs *ifa)
{
	if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP))
		return false;
	*n = (struct network){.family = ifa->ifa_addr->sa_family};
	if (n->family == AF_INET)
		memcpy(n->addr, &((const struct sockaddr_in *)ifa->ifa_addr)->sin_addr, 4);
	else if (n->family == AF_INET6)
		memcpy(n->addr, &((const struct sockaddr_in6 *)ifa->ifa_addr)->sin6_addr, 16);
	else
		return false;
	n->bits = mask_bits(ifa->ifa_netmask, n->family);
	return true;
}

static bool is_loopback(const struct network *n)
{
	static const unsigned char one[16] = {[15] = 1};

	return n->family == AF_INET ? n->addr[0] == 127 : memcmp(n->addr, one, 16) == 0;
}

/* mynetworks_style: host, class (of an IPv4 address, as it was in 1981), or the interface's subnet.
 */
static void network_narrow(struct network *n, str style)
{
	int size = n->family == AF_INET ? 4 : 16;

	if (str_eq_nocase(style, STR("host")))
		n->bits = size * 8;
	else if (str_eq_nocase(style, STR("class")) && n->family == AF_INET)
		n->bits = n->addr[0] < 128 ? 8 : n->addr[0] < 192 ? 16 : n->addr[0] < 224 ? 24 : 32;
	for (int i = n->bits; i < size * 8; i++)
		n->addr[i / 8] &= (unsigned char)~(0x80 >> i % 8);
}

static void network_print(struct buf *out, const struct network *n)
{
	struct hostaddr a = {0};
	char text[HOSTADDR_TEXT];

	if (n->family == AF_INET) {
		a.in.sin_family = AF_INET;
		a.len = sizeof(a.in);
		memcpy(&a.in.sin_addr, n->addr, 4);
	} else {
		a.in6.sin6_family = AF_INET6;
		a.len = sizeof(a.in6);
		memcpy(&a.in6.sin6_addr, n->addr, 16);
	}
	buf_printf(
	    out, n->family == AF_INET ? "%s/%d" : "[%s]/%d", hostaddr_text(&a, text), n->bits);
}

/* Does the word of inet_interfaces, an address or a host name, mean this address? */
static bool word_is_address(str word, const struct network *n)
{
	struct addrinfo hints = {.ai_family = n->family, .ai_socktype = SOCK_STREAM}, *list = NULL;
	char name[256];
	bool found = false;

	if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']')
		word = str_head(str_from(word, 1), word.n - 2);
	if (!word.n || word.n >= sizeof(name))
		return false;
	memcpy(name, word.p, word.n);
	name[word.n] = 0;
	if (hostaddr_is_numeric(word))
		hints.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *a = list; a && !found; a = a->ai_next)
		found =
		    n->family == AF_INET
			? memcmp(&((struct sockaddr_in *)a->ai_addr)->sin_addr, n->addr, 4) == 0
			: memcmp(&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr, n->addr, 16) == 0;
	freeaddrinfo(list);
	return found;
}

static bool is_listening(str interfaces, const struct network *n)
{
	str word;

	while (str_word(&interfaces, ", \t\r\n", &word)) {
		if (str_eq_nocase(word, STR("all")))
			return true;
		if (str_eq_nocase(word, STR("loopback-only")) ? is_loopback(n)
							      : word_is_address(word, n))
			return true;
	}
	return false;
}

static bool protocol_wanted(str protocols, int family)
{
	str word;

	while (str_word(&protocols, ", \t\r\n", &word))
		if (str_eq_nocase(word, STR("all")) ||
		    str_eq_nocase(word, family == AF_INET ? STR("ipv4") : STR("ipv6")))
			return true;
	return false;
}

static bool has_word(const struct buf *list, const struct buf *word)
{
	str rest = buf_view(list), w;

	while (str_word(&rest, " ", &w))
		if (str_eq(w, buf_view(word)))
			return true;
	return false;
}

static void add_networks(
    struct param_scope *s, struct buf *out, const struct ifaddrs *list, int family)
{
	str style = str_of(value_of(s, STR("mynetworks_style")));
	str interfaces = str_of(value_of(s, STR("inet_interfaces")));
	struct buf one = {0};
	struct network n;

	if (!protocol_wanted(str_of(value_of(s, STR("inet_protocols"))), family))
		return;
	for (; list; list = list->ifa_next) {
		if (!network_from(&n, list) || n.family != family || !is_listening(interfaces, &n))
			continue;
		network_narrow(&n, style);
		buf_clear(&one);
		network_print(&one, &n);
		if (has_word(out, &one))
			continue;
		if (out->n)
			buf_char(out, ' ');
		buf_str(out, buf_view(&one));
	}
	buf_free(&one);
}

static void default_mynetworks(struct param_scope *s, struct buf *out)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		list = NULL;
	add_networks(s, out, list, AF_INET);
	add_networks(s, out, list, AF_INET6);
	if (list)
		freeifaddrs(list);
	if (!out->n)
		buf_cstr(out, "127.0.0.1/32");
}

void param_computed(struct param_scope *s, str name, struct buf *out)
{
	if (str_eq(name, STR("myhostname")))
		default_myhostname(s, out);
	else if (str_eq(name, STR("mydomain")))
		default_mydomain(s, out);
	else if (str_eq(name, STR("mynetworks")))
		default_mynetworks(s, out);
	else if (str_eq(name, STR("process_id")))
		buf_printf(out, "%ld", (long)getpid());
	else if (str_eq(name, STR("process_name")))
		buf_cstr(out, program_invocation_short_name);
}
