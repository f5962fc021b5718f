/* PROXY headers: the same however they are cut; what is said to be used was there. */
// with: src/smtpd/proxyproto.c
#include "smtpd/proxyproto.h"

#include "param/param.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxyproto p, q;
	size_t used = 0, want = 0;
	struct err err;
	enum proxyproto_state whole;

	conf.inet_protocols = "all";
	whole = proxyproto_parse(str_mem(data, size), &p, &used, &err);
	if (whole == PROXYPROTO_DONE && (used > size || used == 0))
		abort();
	if (whole == PROXYPROTO_MORE && used <= size)
		abort();
	if (whole == PROXYPROTO_DONE && !p.local && (p.from.len == 0 || p.to.len == 0))
		abort();
	for (size_t n = 0; n < size && n < 300; n++) {
		enum proxyproto_state part = proxyproto_parse(str_mem(data, n), &q, &want, &err);

		if (part == PROXYPROTO_MORE && want <= n)
			abort();
		if (part == PROXYPROTO_DONE && (whole != PROXYPROTO_DONE || want != used))
			abort();
		if (part == PROXYPROTO_BAD && whole == PROXYPROTO_DONE)
			abort();
	}
	return 0;
}
