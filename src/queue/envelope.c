#include "queue/envelope.h"

#include "base/mem.h"
#include "ipc/deliver.h"
#include <errno.h>

#define STRINGS(...) ((str *[]){__VA_ARGS__, NULL})

static void copy_strings(struct arena *a, str *const *s)
{
	for (; *s; s++)
		**s = arena_str(a, **s);
}

/* Room for one more of size bytes in an arena's array. */
static void *array_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	void *wider;

	if (n < *cap)
		return v;
	*cap = *cap ? 2 * *cap : 8;
	wider = arena_alloc(a, *cap * size);
	if (n)
		memcpy(wider, v, n * size);
	return wider;
}

void envelope_add_attr(struct envelope *e, struct arena *a, str name, str value)
{
	for (size_t i = 0; i < e->nattrs; i++) {
		if (str_eq(e->attrs[i].name, name)) {
			if (!str_eq(e->attrs[i].value, value))
				e->attrs[i].value = arena_str(a, value);
			return;
		}
	}
	e->attrs = array_grow(a, e->attrs, e->nattrs, &e->attrs_cap, sizeof *e->attrs);
	e->attrs[e->nattrs++] =
	    (struct ipc_env_attr){.name = arena_str(a, name), .value = arena_str(a, value)};
}

str envelope_attr(const struct envelope *e, const char *name)
{
	for (size_t i = 0; i < e->nattrs; i++)
		if (str_eq(e->attrs[i].name, str_of(name)))
			return e->attrs[i].value;
	return STR("");
}

static void envelope_push_rcpt(struct envelope *e, struct arena *a, const struct ipc_env_rcpt *r)
{
	e->rcpts = array_grow(a, e->rcpts, e->nrcpts, &e->rcpts_cap, sizeof *e->rcpts);
	e->rcpts[e->nrcpts++] = *r;
}

void envelope_add_rcpt(struct envelope *e, struct arena *a, const struct ipc_env_rcpt *r)
{
	struct ipc_env_rcpt copy = *r;

	copy_strings(a, STRINGS(&copy.address, &copy.orig_address, &copy.orcpt));
	envelope_push_rcpt(e, a, &copy);
}

void envelope_encode(const struct envelope *e, struct buf *out)
{
	struct ipc_env_message message = e->message;

	message.rcpt_count = (uint32_t)e->nrcpts;
	ipc_put(out, MSG_ENV_MESSAGE, &message);
	ipc_put(out, MSG_ENV_SENDER, &e->sender);
	for (size_t i = 0; i < e->nattrs; i++)
		ipc_put(out, MSG_ENV_ATTR, &e->attrs[i]);
	for (size_t i = 0; i < e->nrcpts; i++)
		ipc_put(out, MSG_ENV_RCPT, &e->rcpts[i]);
	for (size_t i = 0; e->status && i < e->nrcpts; i++)
		if (e->status[i].kind != RCPT_PENDING)
			ipc_put(out, MSG_RCPT_STATUS, &e->status[i]);
}

static void status_reset(struct envelope *e, struct arena *a)
{
	e->status = arena_zero(a, (e->nrcpts + 1) * sizeof *e->status);
	for (size_t i = 0; i < e->nrcpts; i++)
		e->status[i].index = (uint32_t)i;
}

/* What cleanup decided of a recipient already ("expanded", or refused after the fact). */
static int envelope_early_status(
    struct envelope *e, struct arena *a, const struct ipc_rcpt_status *st, struct err *err)
{
	if (!e->status)
		status_reset(e, a);
	if (envelope_merge_status(e, a, st) < 0)
		return err_errno(
		    err, EBADMSG, "envelope: status of recipient %u", (unsigned)st->index);
	return 0;
}

/* Records come in this order; each may follow itself or an earlier one, but the first two stand
 * once. */
static int envelope_record(
    struct envelope *e, struct arena *a, const struct ipc_msg *m, size_t at, struct err *err)
{
	if ((m->type == MSG_ENV_MESSAGE) != (at == 0) || (m->type == MSG_ENV_SENDER) != (at == 1))
		return err_errno(err, EBADMSG, "envelope: misplaced %s", ipc_name(m->type));
	switch (m->type) {
	case MSG_ENV_MESSAGE:
		e->message = m->env_message;
		return 0;
	case MSG_ENV_SENDER:
		e->sender = m->env_sender;
		return 0;
	case MSG_ENV_ATTR:
		if (e->nrcpts > 0)
			return err_errno(err, EBADMSG, "envelope: attribute behind a recipient");
		e->attrs = array_grow(a, e->attrs, e->nattrs, &e->attrs_cap, sizeof *e->attrs);
		e->attrs[e->nattrs++] = m->env_attr;
		return 0;
	case MSG_ENV_RCPT:
		if (e->status)
			return err_errno(err, EBADMSG, "envelope: recipient behind a status");
		envelope_push_rcpt(e, a, &m->env_rcpt);
		return 0;
	case MSG_RCPT_STATUS:
		return envelope_early_status(e, a, &m->rcpt_status, err);
	default:
		return err_errno(err, EBADMSG, "envelope: unexpected %s", ipc_name(m->type));
	}
}

int envelope_decode(struct envelope *e, struct arena *a, str records, struct err *err)
{
	str rest = arena_str(a, records);
	struct ipc_msg m;
	size_t at = 0;

	*e = (struct envelope){0};
	while (rest.n > 0) {
		int got = ipc_take(&rest, &m, err);

		if (got != 0)
			return err_errno(err, EBADMSG, "envelope: %s",
			    got > 0 ? "it is cut off" : "malformed record");
		if (envelope_record(e, a, &m, at++, err) < 0)
			return -1;
	}
	if (at < 2 || e->nrcpts != e->message.rcpt_count)
		return err_errno(err, EBADMSG, "envelope: %zu recipients where %u should be",
		    e->nrcpts, (unsigned)e->message.rcpt_count);
	if (!e->status)
		status_reset(e, a);
	return 0;
}

int envelope_merge_status(struct envelope *e, struct arena *a, const struct ipc_rcpt_status *st)
{
	struct ipc_rcpt_status copy = *st;

	if (st->index >= e->nrcpts || st->kind > RCPT_REPORTED)
		return -1;
	copy_strings(a, STRINGS(&copy.dsn, &copy.action, &copy.mta_type, &copy.mta_name,
			    &copy.diag_type, &copy.diag, &copy.reason, &copy.relay));
	e->status[st->index] = copy;
	return 0;
}
