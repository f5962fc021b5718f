/* What a name server says. */
#include "dns/dns_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX,
	    DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA};
	struct arena arena = {0};
	struct dns_reply r;
	struct buf text = {0};

	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		if (dns_reply_parse(str_mem(data, size), "a.test", types[t], &arena, &r) == 0)
			for (size_t i = 0; i < r.result.n; i++)
				dns_rr_text(&r.result.rr[i], &text);
		buf_clear(&text);
	}
	buf_free(&text);
	arena_free(&arena);
	return 0;
}
