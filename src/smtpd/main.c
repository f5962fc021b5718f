/* smtpd: the SMTP server. */
#include "service/service.h"
#include "smtpd/session.h"
#include "smtpd/setup.h"

int main(int argc, char **argv)
{
	static const struct service smtpd = {
	    .program = "smtpd",
	    .setup = smtpd_setup,
	    .serve = session_run,
	    .network_only = true,
	    .stdio = true,
	};

	return service_main(argc, argv, &smtpd);
}
