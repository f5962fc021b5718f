/* What a policy server is told of a request: the rows of policy.tbl. */
#include "smtpd/policy.h"

#include "base/clock.h"
#include "param/param.h"
#include "smtpd/eval.h"
#include "smtpd/stress.h"

#include <stdio.h>
#include <unistd.h>

struct circumstances {
	const char *state, *stress, *context;
	uint64_t recipients, size;
	str etrn;
};

static bool in_transaction(const struct eval *e)
{
	return e->s->tx.open && (e->s->tx.rcpt.n > 0 || e->s->tx.nrcpts > 0);
}

/* One name for all requests about a message, which no other message of any process has. */
static void name_instance(struct transaction *tx)
{
	static unsigned count;

	snprintf(tx->instance, sizeof tx->instance, "%x.%llx.%llx.%x", (unsigned)getpid(),
	    (unsigned long long)tx->arrival_us / 1000000,
	    (unsigned long long)tx->arrival_us % 1000000, count++);
}

static const char *state_of(const struct session *s)
{
	return strcmp(s->stage, "BDAT") == 0 ? "DATA" : s->stage;
}

static void find_out(struct eval *e, struct circumstances *c)
{
	struct session *s = e->s;
	bool late = e->list == LIST_DATA || e->list == LIST_END_OF_DATA;

	c->state = state_of(s);
	c->stress = stress_now() ? "yes" : "";
	c->recipients = late ? s->tx.nrcpts : 0;
	c->size = e->list == LIST_END_OF_DATA ? s->tx.size : (uint64_t)s->tx.declared_size;
	c->etrn = e->etrn;
	if (in_transaction(e) && !s->tx.instance[0] && strcmp(c->state, "VRFY") != 0)
		name_instance(&s->tx);
}

#define PUT_TEXT(out, name, value)   policy_put(out, name, str_of(value))
#define PUT_SLICE(out, name, value)  policy_put(out, name, (value).p ? (value) : STR(""))
#define PUT_NUMBER(out, name, value) policy_put_number(out, name, value)

void policy_request(struct eval *e, const char *context, struct buf *out)
{
	const struct session *s = e->s;
	struct circumstances now = {.context = context}, *c = &now;

	find_out(e, c);
	buf_room(out, 1024);
#define POLICY_ATTR(name, kind, value, since) PUT_##kind(out, #name, value);
#include "smtpd/policy.tbl"
#undef POLICY_ATTR
	policy_put_end(out);
}
