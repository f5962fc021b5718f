/* smtp and lmtp: the client that brings mail to the next hop. Which of the two it is, its name
 * says. */
#include "ipc/deliver.h"
#include "param/param.h"
#include "service/service.h"
#include "smtp/agent.h"
#include "smtp/smtp.h"
#include "table/table.h"

static bool is_lmtp;

bool smtp_is_lmtp(void)
{
	return is_lmtp;
}

const char *smtp_default_port(void)
{
	return is_lmtp ? conf.lmtp_tcp_port : conf.smtp_tcp_port;
}

static void setup(void)
{
	if (is_lmtp)
		conf_use_lmtp();
	hosts_setup();
	conn_setup();
	body_setup();
	cache_setup();
	delivery_filter(
	    maps_open("smtp_delivery_status_filter", conf.smtp_delivery_status_filter, 0));
}

static void serve(struct stream *qmgr, const struct hostaddr *peer)
{
	(void)peer;
	delivery_serve(qmgr, agent_deliver);
}

int main(int argc, char **argv)
{
	static struct service smtp = {
	    .program = "smtp",
	    .setup = setup,
	    .serve = serve,
	    .network_only = true,
	};
	const char *name = strrchr(argv[0], '/');

	is_lmtp = strcmp(name ? name + 1 : argv[0], "lmtp") == 0;
	if (is_lmtp)
		smtp.program = "lmtp";
	return service_main(argc, argv, &smtp);
}
