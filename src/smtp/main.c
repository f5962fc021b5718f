/* smtp and lmtp: the client that brings mail to the next hop. Which of the two it is, its name
 * says. */
#include "ipc/deliver.h"
#include "log/log.h"
#include "param/param.h"
#include "service/service.h"
#include "smtp/agent.h"
#include "smtp/smtp.h"
#include "table/table.h"

static bool is_lmtp;
struct smtp_flags smtp_flags;

bool smtp_is_lmtp(void)
{
	return is_lmtp;
}

/* conf_use_lmtp() goes by names; these are not called alike. */
static void use_lmtp(void)
{
	conf_use_lmtp();
	conf.smtp_helo_name = conf.lmtp_lhlo_name;
	conf.smtp_helo_timeout = conf.lmtp_lhlo_timeout;
	conf.smtp_discard_ehlo_keywords = conf.lmtp_discard_lhlo_keywords;
	conf.smtp_discard_ehlo_keyword_address_maps = conf.lmtp_discard_lhlo_keyword_address_maps;
}

static void take_flags(const char *letters)
{
	for (; *letters; letters++)
		switch (*letters) {
		case 'D':
			smtp_flags.delivered_to = true;
			break;
		case 'O':
			smtp_flags.original_to = true;
			break;
		case 'R':
			smtp_flags.return_path = true;
			break;
		case 'X':
			smtp_flags.final = true;
			break;
		default:
			log_fatal("bad flag \"%c\" in flags=: known are D, O, R, X", *letters);
		}
}

static void take_args(void)
{
	for (const char *const *arg = service_args(); *arg; arg++)
		if (strncmp(*arg, "flags=", 6) == 0)
			take_flags(*arg + 6);
		else
			log_fatal("bad argument \"%s\" in master.cf", *arg);
}

static void setup(void)
{
	if (is_lmtp)
		use_lmtp();
	take_args();
	hosts_setup();
	dial_setup();
	chat_setup();
	conn_setup();
	pix_setup();
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
	    .drain = cache_drain,
	    .network_only = true,
	};
	const char *name = strrchr(argv[0], '/');

	is_lmtp = strcmp(name ? name + 1 : argv[0], "lmtp") == 0;
	if (is_lmtp)
		smtp.program = "lmtp";
	return service_main(argc, argv, &smtp);
}
