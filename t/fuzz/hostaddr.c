/* Addresses, networks, endpoints and host names out of configuration and replies. */
#include "base/hostaddr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(str text)
{
	struct hostaddr a, b;
	char out[HOSTADDR_TEXT];

	if (hostaddr_parse(&a, text, 25, NULL) < 0)
		return;
	/* What is printed is read back as the same. */
	if (hostaddr_parse(&b, str_of(hostaddr_text(&a, out)), 25, NULL) < 0 ||
	    !hostaddr_eq(&a, &b))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_mem(data, size);
	struct endpoint e;
	struct hostnet n;
	struct hostaddr a;
	struct err err;

	check_address(text);
	hostaddr_parse(&a, STR("192.0.2.1"), 0, NULL);
	if (hostnet_parse(&n, text, &err) == 0)
		hostnet_has(&n, &a);
	if (endpoint_parse(&e, text, &err) == 0 && !e.is_unix && e.port.n < 6)
		endpoint_port(str_is_digits(e.port) ? e.port : STR("0"), &err);
	hostname_valid(text, &err);
	return 0;
}
