#include "cmd/postdrop/postdrop.h"

#include "mail/dsn.h"
#include "mail/verp.h"
#include "param/param.h"

#define RCPTS_MAX    100000
#define SENDER_FLAGS (SENDER_BODY_8BITMIME | SENDER_BODY_7BIT | SENDER_SMTPUTF8 | SENDER_VERP)
#define NOTIFY_FLAGS (DSN_NOTIFY_NEVER | DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY)

/* Addresses and names go into commands and headers later on: a line break would make two of one. */
static bool is_text(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

static bool is_xtext(str s)
{
	struct buf scratch = {0};
	bool good = xtext_decode(&scratch, s) && is_text(buf_view(&scratch));

	buf_free(&scratch);
	return good;
}

static int take_sender(struct drop *d, const struct ipc_env_sender *s, struct err *err)
{
	if (d->have_sender)
		return err_set(err, "malformed input: two senders");
	if (!is_text(s->address) || !is_text(s->full_name) || !is_xtext(s->envid) ||
	    s->ret > DSN_RET_HDRS || (s->flags & ~SENDER_FLAGS))
		return err_set(err, "malformed input: bad sender");
	d->have_sender = true;
	d->env.sender = (struct ipc_env_sender){
	    .address = arena_str(&d->arena, s->address),
	    .full_name = arena_str(&d->arena, s->full_name),
	    .envid = arena_str(&d->arena, s->envid),
	    .ret = s->ret,
	    .flags = s->flags,
	};
	return 0;
}

/* Attributes that a submitter may set; the others say who a network client was. */
static int take_attr(struct drop *d, const struct ipc_env_attr *a, struct err *err)
{
	static const struct {
		str name, value;
	} allowed[] = {
	    {STR("rewrite_context"), STR("local")},
	    {STR("rewrite_context"), STR("remote")},
	    {STR("trace"), STR("yes")},
	    {STR("trace"), STR("report")},
	};
	bool good = str_eq(a->name, STR("verp_delimiters")) &&
		    !verp_delims_error(a->value, conf.verp_delimiter_filter);

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		good |= str_eq(a->name, allowed[i].name) && str_eq(a->value, allowed[i].value);
	if (!good)
		return err_set(err, "malformed input: attribute that is not allowed");
	envelope_add_attr(&d->env, &d->arena, a->name, a->value);
	return 0;
}

static int take_rcpt(struct drop *d, const struct ipc_env_rcpt *r, struct err *err)
{
	if (d->env.nrcpts >= RCPTS_MAX)
		return err_set(err, "too many recipients");
	if (!is_text(r->address) || !is_text(r->orig_address) ||
	    (r->orcpt.n > 0 && !orcpt_valid(r->orcpt)) || (r->notify & ~NOTIFY_FLAGS) || r->flags)
		return err_set(err, "malformed input: bad recipient");
	envelope_add_rcpt(&d->env, &d->arena, r);
	return 0;
}

/* Content goes out as it is stored: a line that is a dot, or a LF without its CR, would end it for
 * the next hop, and what follows would be commands. */
static bool is_wire(struct drop *d, str wire)
{
	for (size_t i = 0; i < wire.n; i++) {
		char c = wire.p[i];

		if (c == '\n' && d->before[0] != '\r')
			return false;
		if (d->before[1] == '\n' && d->before[0] == '.' && c != '.')
			return false;
		d->before[1] = d->before[0];
		d->before[0] = c;
	}
	return true;
}

static int take_content(struct drop *d, str wire, struct err *err)
{
	if (!is_wire(d, wire))
		return err_set(err, "malformed input: content is not in wire form");
	wire_facts_feed(&d->facts, wire);
	if (conf.message_size_limit > 0 && d->facts.size > (uint64_t)conf.message_size_limit)
		return err_set(err, "message file too big");
	buf_str(&d->content, wire);
	return 0;
}

static int take(struct drop *d, const struct ipc_msg *m, struct err *err)
{
	switch (m->type) {
	case MSG_ENV_SENDER:
		return take_sender(d, &m->env_sender, err);
	case MSG_ENV_ATTR:
		return take_attr(d, &m->env_attr, err);
	case MSG_ENV_RCPT:
		return take_rcpt(d, &m->env_rcpt, err);
	case MSG_CLEANUP_CONTENT:
		return take_content(d, m->cleanup_content.data, err);
	default:
		return err_set(err, "malformed input: unexpected %s", ipc_name(m->type));
	}
}

static int check_complete(const struct drop *d, struct err *err)
{
	if (!d->have_sender || d->env.nrcpts == 0)
		return err_set(err, "malformed input: no sender or no recipients");
	/* What is in the maildrop is wire form: it ends where a line ends. */
	if (d->content.n > 0 && d->content.p[d->content.n - 1] != '\n')
		return err_set(err, "malformed input: content without an end");
	return 0;
}

enum drop_state drop_take(struct drop *d, struct err *err)
{
	str rest = buf_view(&d->in);
	struct ipc_msg m;
	int got;

	while ((got = ipc_take(&rest, &m, err)) == 0) {
		if (m.type == MSG_DROP_END)
			return check_complete(d, err) == 0 ? DROP_COMPLETE : DROP_BAD;
		if (take(d, &m, err) < 0)
			return DROP_BAD;
	}
	if (got < 0)
		return DROP_BAD;
	buf_drop(&d->in, d->in.n - rest.n);
	if (d->in.n > IPC_FRAME_MAX + IPC_HEAD) {
		err_set(err, "malformed input: endless record");
		return DROP_BAD;
	}
	return DROP_MORE;
}

void drop_free(struct drop *d)
{
	buf_free(&d->content);
	buf_free(&d->in);
	arena_free(&d->arena);
}

void drop_init(struct drop *d)
{
	*d = (struct drop){.before = {'\n', '\r'}};
}
