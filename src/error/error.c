/* error and retry: every recipient gets the same bad news, which is the next hop. */
#include "ipc/deliver.h"
#include "mail/dsn.h"
#include "service/service.h"
#include <string.h>

/* "5.1.1 text": the code into dsn (which stays empty without one); returns the text. */
static str split_code(str reason, char dsn[16])
{
	size_t n = dsn_valid(reason);

	dsn[0] = 0;
	if (n == 0 || n >= 16)
		return reason;
	memcpy(dsn, reason.p, n);
	dsn[n] = 0;
	return str_trim(str_from(reason, n));
}

static void error_deliver(struct delivery *d)
{
	bool retry = strcmp(service_name(), "retry") == 0;
	char dsn[16];
	str text = split_code(d->m.nexthop, dsn);
	struct fate f = {.kind = retry ? RCPT_DEFERRED : RCPT_BOUNCED,
	    .dsn = dsn,
	    .relay = "none",
	    .reason = arena_cstr(&d->arena, text)};

	d->conn_us = d->agent_us;
	for (size_t i = 0; i < d->nrcpts; i++)
		delivery_fate(d, &d->rcpts[i], &f);
}

static void error_serve(struct stream *qmgr, const struct hostaddr *peer)
{
	(void)peer;
	delivery_serve(qmgr, error_deliver);
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "error", .serve = error_serve};

	return service_main(argc, argv, &service);
}
