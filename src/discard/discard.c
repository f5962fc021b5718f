/* discard: every recipient counts as delivered; the next hop says why nobody gets it. */
#include "ipc/deliver.h"
#include "mail/dsn.h"
#include "service/service.h"
#include <string.h>

static void discard_deliver(struct delivery *d)
{
	str text = d->m.nexthop;
	char dsn[16] = "2.0.0";
	size_t n = dsn_valid(text);
	struct fate f = {.kind = RCPT_SENT, .dsn = dsn, .relay = "none"};

	if (n > 0 && n < sizeof dsn) {
		memcpy(dsn, text.p, n);
		dsn[n] = 0;
		text = str_trim(str_from(text, n));
	}
	f.reason = arena_cstr(&d->arena, text);
	d->conn_us = d->agent_us;
	for (size_t i = 0; i < d->nrcpts; i++)
		delivery_fate(d, &d->rcpts[i], &f);
}

static void discard_serve(struct stream *qmgr, const struct hostaddr *peer)
{
	(void)peer;
	delivery_serve(qmgr, discard_deliver);
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "discard", .serve = discard_serve};

	return service_main(argc, argv, &service);
}
