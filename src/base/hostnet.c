/* Networks: an address and how many of its bits count. */
#include "base/hostaddr.h"

#include <arpa/inet.h>

static size_t size_of(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* Takes the address part and the text of the mask (p NULL: none given) out of text. */
static int cut(str text, str *addr, str *mask, struct err *err)
{
	ptrdiff_t at;

	*mask = (str){NULL, 0};
	if (text.n && text.p[0] == '[') {
		at = str_chr(text, ']');
		if (at < 0)
			return err_set(err, "missing \"]\" in \"%.*s\"", STR_FMT(text));
		*addr = str_from(str_head(text, (size_t)at), 1);
		text = str_from(text, (size_t)at + 1);
		if (text.n == 0)
			return 0;
		if (text.p[0] != '/')
			return err_set(err, "garbage after \"]\": \"%.*s\"", STR_FMT(text));
		*mask = str_from(text, 1);
		return 0;
	}
	at = str_chr(text, '/');
	*addr = at < 0 ? text : str_head(text, (size_t)at);
	if (at >= 0)
		*mask = str_from(text, (size_t)at + 1);
	return 0;
}

static bool clear_host_bits(struct hostnet *n)
{
	bool changed = false;

	for (size_t i = 0; i < size_of(n->family); i++) {
		int left = n->bits - (int)i * 8;
		unsigned char keep = left >= 8	 ? 0xff
				     : left <= 0 ? 0
						 : (unsigned char)(0xff << (8 - left));
		if (n->addr[i] & ~keep)
			changed = true;
		n->addr[i] &= keep;
	}
	return changed;
}

/* ::ffff:a.b.c.d/96+n is a.b.c.d/n: clients with mapped addresses count as IPv4. */
static void unmap(struct hostnet *n)
{
	static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (n->family != AF_INET6 || n->bits < 96 || memcmp(n->addr, prefix, 12) != 0)
		return;
	memmove(n->addr, n->addr + 12, 4);
	memset(n->addr + 4, 0, 12);
	n->family = AF_INET;
	n->bits -= 96;
}

int hostnet_parse(struct hostnet *n, str text, struct err *err)
{
	str addr, mask, shown = str_head(text, 200);
	struct hostaddr a;
	uint64_t bits;
	char right[INET6_ADDRSTRLEN];

	*n = (struct hostnet){.family = AF_UNSPEC};
	if (cut(text, &addr, &mask, err) < 0)
		return -1;
	if (hostaddr_parse(&a, addr, 0, NULL) < 0)
		return err_set(err, "bad network value in \"%.*s\"", STR_FMT(shown));
	n->family = a.sa.sa_family;
	n->bits = (int)size_of(n->family) * 8;
	memcpy(n->addr, n->family == AF_INET ? (void *)&a.in.sin_addr : (void *)&a.in6.sin6_addr,
	    size_of(n->family));
	if (mask.p) {
		if (!str_to_u64(mask, &bits) || bits > (uint64_t)n->bits)
			return err_set(err, "bad mask length in \"%.*s\"", STR_FMT(shown));
		n->bits = (int)bits;
	}
	if (clear_host_bits(n)) {
		inet_ntop(n->family, n->addr, right, sizeof(right));
		return err_set(err,
		    "non-null host address bits in \"%.*s\", perhaps you should use \"%s%s%s/%d\" "
		    "instead",
		    STR_FMT(shown), text.p[0] == '[' ? "[" : "", right, text.p[0] == '[' ? "]" : "",
		    n->bits);
	}
	unmap(n);
	return 0;
}

bool hostnet_has(const struct hostnet *n, const struct hostaddr *a)
{
	const unsigned char *p;
	int family = a->sa.sa_family, whole = n->bits / 8, rest = n->bits % 8;

	if (family == AF_INET) {
		p = (const unsigned char *)&a->in.sin_addr;
	} else if (family == AF_INET6) {
		p = a->in6.sin6_addr.s6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
			family = AF_INET;
			p += 12;
		}
	} else {
		return false;
	}
	if (family != n->family || memcmp(p, n->addr, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((p[whole] ^ n->addr[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}
