/* Resource records for people and filters. */
#include "base/names.h"
#include "dns/dns.h"

#include <stdio.h>

static const struct name_row types[] = {{"A", DNS_A}, {"NS", DNS_NS}, {"CNAME", DNS_CNAME},
    {"SOA", DNS_SOA}, {"PTR", DNS_PTR}, {"MX", DNS_MX}, {"TXT", DNS_TXT}, {"AAAA", DNS_AAAA},
    {"SRV", DNS_SRV}, {"TLSA", DNS_TLSA}, {NULL, 0}};

const char *dns_type_name(enum dns_type type)
{
	const char *name = names_name(types, type);

	return name ? name : "?";
}

bool dns_is_null_mx(const struct dns_rr *list, size_t n)
{
	return n == 1 && list[0].type == DNS_MX && list[0].data[0] == 0;
}

void dns_rr_text(const struct dns_rr *rr, struct buf *out)
{
	buf_printf(out, "%s. %u IN %s ", rr->name, rr->ttl, dns_type_name(rr->type));
	switch (rr->type) {
	case DNS_A:
	case DNS_AAAA:
	case DNS_TXT:
		buf_cstr(out, rr->data);
		break;
	case DNS_MX:
		buf_printf(out, "%u %s.", rr->pref, rr->data);
		break;
	case DNS_SRV:
		buf_printf(out, "%u %u %u %s.", rr->pref, rr->weight, rr->port, rr->data);
		break;
	case DNS_TLSA:
		buf_printf(out, "%u %u %u ", rr->usage, rr->selector, rr->matching);
		for (size_t i = 0; i < rr->bytes.n; i++)
			buf_printf(out, "%02X", (unsigned char)rr->bytes.p[i]);
		break;
	default:
		buf_printf(out, "%s.", rr->data);
	}
}
