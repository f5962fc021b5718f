/* resolv.conf, hosts, nsswitch.conf. */
#include "dns/dns_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_conf conf = {0};
	struct dns_hosts hosts = {0};

	dns_conf_parse(&conf, str_mem(data, size));
	dns_conf_free(&conf);
	dns_hosts_parse(&hosts, str_mem(data, size));
	dns_hosts_free(&hosts);
	dns_nsswitch_parse(str_mem(data, size));
	return 0;
}
