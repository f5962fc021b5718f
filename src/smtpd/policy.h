/* Policy servers as restriction lists name them: "check_policy_service inet:host:port" or
 * "check_policy_service { inet:host:port, name=value, { name = value } }". */
#ifndef POSTERN_SMTPD_POLICY_H
#define POSTERN_SMTPD_POLICY_H

#include "policyproto/policy.h"

struct policy_service {
	const char *name; /* as in the list */
	struct policy_server *server;
	const char *default_action, *context;
};
/* The same text gives the same service, with the same connections. It lives for ever. NULL and err:
 * bad syntax. */
const struct policy_service *policy_service_get(str text, struct err *err);

struct eval;
/* The request about what is being judged, appended. */
void policy_request(struct eval *e, const char *context, struct buf *out);

#endif
