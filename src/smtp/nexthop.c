#include "smtp/nexthop.h"

#include "base/hostaddr.h"

static int set_port(struct nexthop *n, str port, struct err *err)
{
	int number = endpoint_port(port, err);

	if (number < 0)
		return -1;
	n->port = (uint16_t)number;
	return 0;
}

/* "host:port", "host", "host:" */
static void split_plain(str word, str *host, str *port)
{
	ptrdiff_t colon = str_rchr(word, ':');

	*host = colon < 0 ? word : str_head(word, (size_t)colon);
	*port = colon < 0 ? STR("") : str_from(word, (size_t)colon + 1);
}

/* "[host]:port", "[host]" */
static int split_bracketed(str word, str *host, str *port, struct err *err)
{
	ptrdiff_t end = str_chr(word, ']');
	str tail;

	if (end < 0)
		return err_set(
		    err, "bad next hop \"%.*s\": missing ]", STR_FMT(str_head(word, 100)));
	*host = str_head(str_from(word, 1), (size_t)end - 1);
	if (str_starts_nocase(*host, STR("ipv6:")))
		*host = str_from(*host, 5);
	tail = str_from(word, (size_t)end + 1);
	*port = str_from(tail, 1);
	if (tail.n > 0 && tail.p[0] != ':')
		return err_set(
		    err, "bad next hop \"%.*s\": text behind ]", STR_FMT(str_head(word, 100)));
	return 0;
}

int nexthop_next(str *rest, str default_port, struct nexthop *n, struct err *err)
{
	str word, port = {0};

	*n = (struct nexthop){0};
	if (!str_word(rest, ", \t\r\n", &word))
		return 0;
	if (str_starts(word, STR("unix:"))) {
		n->is_unix = true;
		n->host = str_from(word, 5);
		return n->host.n ? 1 : err_set(err, "bad next hop \"unix:\": no path");
	}
	if (str_starts(word, STR("inet:"))) {
		word = str_from(word, 5);
		n->no_mx = true;
	}
	if (str_starts(word, STR("["))) {
		n->no_mx = true;
		if (split_bracketed(word, &n->host, &port, err) < 0)
			return -1;
	} else {
		split_plain(word, &n->host, &port);
	}
	if (n->host.n == 0)
		return err_set(err, "bad next hop \"%.*s\": no host", STR_FMT(str_head(word, 100)));
	return set_port(n, port.n ? port : default_port, err) < 0 ? -1 : 1;
}
