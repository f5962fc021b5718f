/* smtpd: the SMTP server. */
#include "mail/own.h"
#include "service/service.h"
#include "smtpd/ehlo.h"
#include "smtpd/input.h"
#include "smtpd/nonsmtp.h"
#include "smtpd/peer.h"
#include "smtpd/pipelining.h"
#include "smtpd/restrict.h"
#include "smtpd/session.h"
#include "smtpd/stress.h"
#include "smtpd/template.h"

static void setup(void)
{
	stress_setup();
	template_setup();
	reply_setup();
	input_setup();
	own_setup();
	peer_setup();
	ehlo_setup();
	etrn_setup();
	nonsmtp_setup();
	pipelining_module_setup();
	restrict_setup();
}

int main(int argc, char **argv)
{
	static const struct service smtpd = {
	    .program = "smtpd",
	    .setup = setup,
	    .serve = session_run,
	    .network_only = true,
	    .stdio = true,
	};

	return service_main(argc, argv, &smtpd);
}
