/* Does the address exist? Each address class has its own tables (ADDRESS_CLASS_README). */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/addrfind.h"
#include "mail/dsn.h"
#include "param/param.h"

static struct maps *canonical, *rcpt_canonical, *send_canonical;
static struct maps *local_rcpts, *virtual_alias, *virtual_mailbox, *relay_rcpts;

void check_unlisted_setup(void)
{
	unsigned flags = TABLE_FOLD | TABLE_UTF8;

	rcpt_canonical =
	    maps_open("recipient_canonical_maps", conf.recipient_canonical_maps, flags);
	send_canonical = maps_open("sender_canonical_maps", conf.sender_canonical_maps, flags);
	canonical = maps_open("canonical_maps", conf.canonical_maps, flags);
	virtual_alias = maps_open("virtual_alias_maps", conf.virtual_alias_maps, flags);
	virtual_mailbox = maps_open("virtual_mailbox_maps", conf.virtual_mailbox_maps, flags);
	relay_rcpts = maps_open("relay_recipient_maps", conf.relay_recipient_maps, flags);
	local_rcpts = maps_open("local_recipient_maps", conf.local_recipient_maps, flags);
}

/* One question: does the address exist? about and dsn shape the refusal. */
struct question {
	struct eval *e;
	str address;	      /* as resolved */
	struct subject about; /* as the client gave it */
	const char *dsn;      /* of "User unknown" */
	bool failed;	      /* a table failed */
};

static enum table_result find(
    struct question *q, struct maps *maps, unsigned how, struct buf *value)
{
	enum table_result t;
	struct err err;

	if (maps_empty(maps))
		return TABLE_NONE;
	t = addr_find(maps, q->address, how, value, NULL, &err);
	if (t == TABLE_ERROR) {
		log_warn("%s", err.text);
		q->failed = true;
	}
	return t;
}

/* What the class of an address says of users who are in no table. */
struct class_rule {
	uint32_t flag;
	struct maps **maps;
	int *code;
	const char *table;
};
static const struct class_rule classes[] = {
    {RESOLVE_LOCAL, &local_rcpts, &conf.unknown_local_recipient_reject_code,
	"local recipient table"},
    {RESOLVE_ALIAS, &virtual_alias, &conf.unknown_virtual_alias_reject_code, "virtual alias table"},
    {RESOLVE_VIRTUAL, &virtual_mailbox, &conf.unknown_virtual_mailbox_reject_code,
	"virtual mailbox table"},
    {RESOLVE_RELAY, &relay_rcpts, &conf.unknown_relay_recipient_reject_code,
	"relay recipient table"},
};

static const struct class_rule *class_of(const struct resolved *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (r->flags & classes[i].flag)
			return &classes[i];
	return NULL;
}

static enum outcome unknown_user(struct question *q, const struct class_rule *c)
{
	bool tell = conf.show_user_unknown_table_name;

	return eval_reject_subject(q->e, *c->code, q->dsn, q->about,
	    arena_printf(
		q->e->arena, "User unknown%s%s", tell ? " in " : "", tell ? c->table : ""));
}

/* An error: or retry: route is a refusal in itself, with the next hop as its text. */
static enum outcome error_route(struct question *q, const struct resolved *r)
{
	bool retry = str_eq(r->transport, STR("retry"));
	size_t n = dsn_valid(r->nexthop);
	const char *dsn = "5.1.1";

	if (n > 0)
		dsn = eval_fit_dsn(
		    q->e, arena_cstr(q->e->arena, str_head(r->nexthop, n)), q->about.class);
	return eval_reject_subject(q->e, retry ? 450 : 550, dsn, q->about,
	    arena_cstr(q->e->arena, str_trim(str_from(r->nexthop, n))));
}

/* Users of virtual alias domains who are in no table have such a route too; the tables know that
 * better. */
static bool is_error(const struct resolved *r)
{
	if ((r->flags & RESOLVE_ALIAS) && str_starts(r->nexthop, STR("5.1.1 ")))
		return false;
	return str_eq(r->transport, str_of(conf.error_service_name)) ||
	       str_eq(r->transport, STR("retry"));
}

static unsigned local_flag(const struct resolved *r)
{
	return r->flags & RESOLVE_LOCAL ? ADDR_FIND_LOCALPART : 0;
}

/* Local names that exist without any table. */
static bool is_standing(const struct resolved *r)
{
	str local = addr_local(r->recipient);

	return (r->flags & RESOLVE_LOCAL) &&
	       (str_eq_nocase(local, STR("postmaster")) ||
		   str_eq_nocase(local, STR("mailer-daemon")) ||
		   str_eq_nocase(local, str_of(conf.double_bounce_sender)));
}

static enum outcome in_class_tables(struct question *q, const struct resolved *r)
{
	const struct class_rule *c = class_of(r);
	struct buf value = {0};
	enum table_result t;

	if (!c || is_standing(r) || (maps_empty(*c->maps) && !(r->flags & RESOLVE_ALIAS)))
		return OUT_DUNNO; /* nobody knows the users, so all are welcome */
	t = find(q, *c->maps, ADDR_FIND_RECIPIENT | local_flag(r), &value);
	buf_free(&value);
	if (t == TABLE_FOUND)
		return OUT_DUNNO;
	if (t == TABLE_ERROR)
		return eval_lookup_error(q->e, q->about);
	return unknown_user(q, c);
}

static enum outcome exists(struct question *q, const struct resolved *r, struct maps *own_canonical)
{
	struct maps *rewriting[] = {own_canonical, canonical, virtual_alias};
	struct buf value = {0};
	enum outcome o = OUT_DUNNO;

	for (size_t i = 0; i < ARRAY_SIZE(rewriting); i++)
		if (find(q, rewriting[i], ADDR_FIND_CANONICAL | local_flag(r), &value) ==
		    TABLE_FOUND)
			goto out;
	if (q->failed)
		o = eval_lookup_error(q->e, q->about);
	else if (is_error(r))
		o = error_route(q, r);
	else
		o = in_class_tables(q, r);
out:
	buf_free(&value);
	return o;
}

enum outcome check_rcpt_exists(struct eval *e)
{
	const struct resolved *r = eval_rcpt_route(e);
	struct question q = {.e = e, .about = eval_recipient(e), .dsn = "5.1.1"};

	e->rcpt_checked = true;
	if (!r || (r->flags & RESOLVE_FAIL))
		return eval_lookup_error(e, q.about);
	q.address = r->recipient;
	return exists(&q, r, rcpt_canonical);
}

enum outcome check_sender_exists(struct eval *e)
{
	struct question q = {.e = e, .about = eval_sender(e), .dsn = "5.1.0"};
	const struct resolved *r;

	e->sender_checked = true;
	if (e->s->tx.sender.n == 0)
		return OUT_DUNNO;
	r = eval_sender_route(e);
	if (!r || (r->flags & RESOLVE_FAIL))
		return eval_lookup_error(e, q.about);
	q.address = r->recipient;
	return exists(&q, r, send_canonical);
}

enum outcome check_unlisted_recipient(struct eval *e, const struct rule *r)
{
	(void)r;
	return e->s->tx.rcpt.n && !e->rcpt_checked ? check_rcpt_exists(e) : OUT_DUNNO;
}

enum outcome check_unlisted_sender(struct eval *e, const struct rule *r)
{
	(void)r;
	return e->s->tx.sender.p && !e->sender_checked ? check_sender_exists(e) : OUT_DUNNO;
}
