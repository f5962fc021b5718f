#include "smtpd/setup.h"

#include "mail/own.h"
#include "smtpd/ehlo.h"
#include "smtpd/input.h"
#include "smtpd/milters.h"
#include "smtpd/nonsmtp.h"
#include "smtpd/peer.h"
#include "smtpd/pipelining.h"
#include "smtpd/proxy.h"
#include "smtpd/restrict.h"
#include "smtpd/session.h"
#include "smtpd/stress.h"
#include "smtpd/template.h"

void smtpd_setup(void)
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
	proxy_setup();
	restrict_setup();
	milters_setup();
}
