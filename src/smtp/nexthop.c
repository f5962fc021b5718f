#include "smtp/nexthop.h"

#include "base/hostaddr.h"
#include "param/param.h"
#include "smtp/smtp.h"

static int set_port(struct nexthop *n, str port, struct err *err)
{
	int number;

	n->default_port = port.n == 0;
	number = endpoint_port(n->default_port ? str_of(smtp_default_port()) : port, err);
	if (number < 0)
		return -1;
	n->port = (uint16_t)number;
	return 0;
}

int nexthop_next(str *rest, struct nexthop *n, struct err *err)
{
	ptrdiff_t end;
	str word;

	*n = (struct nexthop){0};
	if (!str_word(rest, ", \t\r\n", &word))
		return 0;
	if (str_starts(word, STR("unix:"))) {
		n->is_unix = true;
		n->host = str_from(word, 5);
		return 1;
	}
	if (str_starts(word, STR("inet:"))) {
		word = str_from(word, 5);
		n->no_mx = smtp_is_lmtp();
	}
	if (word.n > 0 && word.p[0] == '[') {
		end = str_chr(word, ']');
		if (end < 0)
			return err_set(err, "bad next hop \"%.*s\": missing ]", STR_FMT(word));
		n->no_mx = true;
		n->host = str_head(str_from(word, 1), end - 1);
		word = str_from(word, end + 1);
		if (word.n > 0 && word.p[0] != ':')
			return err_set(err, "bad next hop: \"%.*s\" behind ]", STR_FMT(word));
		word = str_from(word, 1);
	} else {
		end = str_rchr(word, ':');
		n->host = end < 0 ? word : str_head(word, end);
		word = end < 0 ? STR("") : str_from(word, end + 1);
	}
	if (str_starts_nocase(n->host, STR("ipv6:")))
		n->host = str_from(n->host, 5);
	if (n->host.n == 0)
		return err_set(err, "bad next hop: no host name");
	return set_port(n, word, err) < 0 ? -1 : 1;
}
