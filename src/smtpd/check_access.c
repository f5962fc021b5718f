/* access(5): look-up keys and actions. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addr.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/restrict.h"
#include "table/matchlist.h"

/* --- actions */

struct action_ctx {
	struct eval *e;
	const char *table, *object, *class;
	str arg;      /* text behind the action's word */
};

/* Splits "5.7.99 text" and gives "5.7.1" where the text has no code of its own. */
static const char *take_dsn(struct action_ctx *c, const char *fallback, str *text)
{
	size_t n = dsn_valid(c->arg);

	*text = c->arg;
	if (n == 0)
		return fallback;
	*text = str_trim(str_from(c->arg, n));
	return arena_cstr(c->e->arena, str_head(c->arg, n));
}

static enum outcome deny(struct action_ctx *c, int code, const char *dsn)
{
	str text;

	dsn = take_dsn(c, dsn, &text);
	return eval_reject(c->e, code, dsn, "%s: %s rejected: %.*s", c->object, c->class,
	    text.n ? (int)text.n : 13, text.n ? text.p : "Access denied");
}

static enum outcome act_reject(struct action_ctx *c)
{
	return deny(c, conf.access_map_reject_code, "5.7.1");
}

static enum outcome act_defer(struct action_ctx *c)
{
	return deny(c, conf.access_map_defer_code, "4.7.1");
}

static enum outcome act_defer_if_permit(struct action_ctx *c)
{
	str text;
	const char *dsn = take_dsn(c, "4.7.1", &text);

	eval_defer_if_permit(c->e, conf.access_map_defer_code, dsn, "%s: %s rejected: %.*s", c->object,
	    c->class, text.n ? (int)text.n : 19, text.n ? text.p : "Service unavailable");
	return OUT_DUNNO;
}

static enum outcome act_defer_if_reject(struct action_ctx *c)
{
	str text;
	const char *dsn = take_dsn(c, "4.7.1", &text);

	eval_defer_if_reject(c->e, conf.access_map_defer_code, dsn, "%s: %s rejected: %.*s", c->object,
	    c->class, text.n ? (int)text.n : 19, text.n ? text.p : "Service unavailable");
	return OUT_DUNNO;
}

static void log_action(struct action_ctx *c, const char *verb, const char *triggers, str arg)
{
	const char *text =
	    arena_printf(c->e->arena, "%s: %s %s%s%.*s", c->object, c->class, triggers, arg.n ? " " : "", STR_FMT(arg));

	restrict_log(c->e->s, verb, text);
}

/* "triggers HOLD action", or the text that the table gave. */
static void log_plain(struct action_ctx *c, const char *verb, const char *word)
{
	if (c->arg.n)
		log_action(c, verb, arena_cstr(c->e->arena, c->arg), STR(""));
	else
		log_action(c, verb, arena_printf(c->e->arena, "triggers %s action", word), STR(""));
}

static enum outcome act_hold(struct action_ctx *c)
{
	log_plain(c, "hold", "HOLD");
	c->e->s->tx.act.hold = true;
	return OUT_DUNNO;
}

static enum outcome act_discard(struct action_ctx *c)
{
	log_plain(c, "discard", "DISCARD");
	c->e->s->tx.act.discard = true;
	return OUT_OK;
}

static enum outcome act_filter(struct action_ctx *c)
{
	if (str_chr(c->arg, ':') <= 0) {
		log_warn("access table %s has FILTER entry without transport:destination", c->table);
		return OUT_DUNNO;
	}
	log_action(c, "filter", "triggers FILTER", c->arg);
	c->e->s->tx.act.filter = arena_str(&c->e->s->tx.arena, c->arg);
	return OUT_DUNNO;
}

static bool has_address(struct action_ctx *c, const char *word)
{
	if (str_chr(c->arg, '@') > 0)
		return true;
	log_warn("access table %s: %s entry needs an address user@domain", c->table, word);
	return false;
}

static enum outcome act_redirect(struct action_ctx *c)
{
	if (!has_address(c, "REDIRECT"))
		return OUT_DUNNO;
	log_action(c, "redirect", "triggers REDIRECT", c->arg);
	c->e->s->tx.act.redirect = arena_str(&c->e->s->tx.arena, c->arg);
	return OUT_DUNNO;
}

/* Appends to a list in the transaction's arena. */
static void append(struct session *s, str **v, size_t *n, str item)
{
	str *more = arena_alloc(&s->tx.arena, (*n + 1) * sizeof(str));

	if (*n)
		memcpy(more, *v, *n * sizeof(str));
	more[(*n)++] = arena_str(&s->tx.arena, item);
	*v = more;
}

static enum outcome act_bcc(struct action_ctx *c)
{
	struct message_actions *act = &c->e->s->tx.act;

	if (!has_address(c, "BCC"))
		return OUT_DUNNO;
	log_action(c, "bcc", "triggers BCC", c->arg);
	append(c->e->s, &act->bcc, &act->nbcc, c->arg);
	return OUT_DUNNO;
}

/* A header line: "Name: value". It stands above our Received, in the order of the rules, once. */
static enum outcome act_prepend(struct action_ctx *c)
{
	struct message_actions *act = &c->e->s->tx.act;
	ptrdiff_t colon = str_chr(c->arg, ':');

	if (colon <= 0) {
		log_warn("access table %s: bad header text in PREPEND action", c->table);
		return OUT_DUNNO;
	}
	if (c->e->list == LIST_END_OF_DATA) {
		log_warn("access table %s: PREPEND is too late at the end of data", c->table);
		return OUT_DUNNO;
	}
	append(c->e->s, &act->prepend, &act->nprepend, c->arg);
	return OUT_DUNNO;
}

static enum outcome act_warn(struct action_ctx *c)
{
	restrict_log(c->e->s, "warn", c->arg.n ? arena_cstr(c->e->arena, c->arg) : "");
	return OUT_DUNNO;
}

static enum outcome act_info(struct action_ctx *c)
{
	restrict_log(c->e->s, "info", c->arg.n ? arena_cstr(c->e->arena, c->arg) : "");
	return OUT_DUNNO;
}

static enum outcome act_ok(struct action_ctx *c)
{
	(void)c;
	return OUT_OK;
}

static enum outcome act_dunno(struct action_ctx *c)
{
	(void)c;
	return OUT_DUNNO;
}

static const struct {
	const char *word;
	enum outcome (*act)(struct action_ctx *c);
} actions[] = {
    {"OK", act_ok},
    {"RELAY", act_ok},
    {"DUNNO", act_dunno},
    {"REJECT", act_reject},
    {"DEFER", act_defer},
    {"DEFER_IF_PERMIT", act_defer_if_permit},
    {"DEFER_IF_REJECT", act_defer_if_reject},
    {"HOLD", act_hold},
    {"DISCARD", act_discard},
    {"FILTER", act_filter},
    {"REDIRECT", act_redirect},
    {"BCC", act_bcc},
    {"PREPEND", act_prepend},
    {"WARN", act_warn},
    {"INFO", act_info},
};

/* "450 text", "550 5.1.1 text" */
static bool numeric_reply(struct action_ctx *c, str word, enum outcome *o)
{
	uint64_t code;

	if (word.n != 3 || (word.p[0] != '4' && word.p[0] != '5') || !str_to_u64(word, &code) || c->arg.n == 0)
		return false;
	*o = deny(c, (int)code, word.p[0] == '4' ? "4.7.1" : "5.7.1");
	return true;
}

enum outcome access_act(struct eval *e, const char *table, str result, const char *object, const char *class)
{
	struct action_ctx c = {.e = e, .table = table, .object = object, .class = class};
	str rest = result, word;
	enum outcome o;

	if (!str_word(&rest, " \t\r\n", &word))
		return eval_config_error(e, object, class);
	c.arg = str_trim(rest);
	if (str_is_digits(result))
		return OUT_OK; /* other documents' habit: all digits mean OK */
	if (numeric_reply(&c, word, &o))
		return o;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_eq_nocase(word, str_of(actions[i].word)))
			return actions[i].act(&c);
	/* Anything else is a list of restrictions; one that does not exist is a configuration error there. */
	return eval_text_as(e, result, table, object, class);
}

/* --- keys */

enum key_result { KEY_NONE, KEY_FOUND, KEY_FAILED };

struct search {
	struct eval *e;
	struct table *table;
	struct buf value;
};

static enum key_result get(struct search *f, str key)
{
	struct err err;

	switch (table_get(f->table, key, &f->value, &err)) {
	case TABLE_FOUND:
		return KEY_FOUND;
	case TABLE_NONE:
		return KEY_NONE;
	default:
		log_warn("%s: table lookup problem: %s", table_spec(f->table), err.text);
		return KEY_FAILED;
	}
}

/* host.dom.tld, dom.tld, tld: as parent_domain_matches_subdomains says, or with a leading dot. */
static enum key_result find_domain(struct search *f, str domain)
{
	static int with_dot = -1;
	enum key_result k = get(f, domain);

	if (with_dot < 0)
		with_dot = !matchlist_parent_matches("smtpd_access_maps");
	if (k != KEY_NONE || !table_partial_keys(f->table))
		return k;
	while (k == KEY_NONE) {
		ptrdiff_t dot = str_chr(str_from(domain, 1), '.');
		if (dot < 0)
			break;
		domain = str_from(domain, dot + 1 + !with_dot);
		if (domain.n == 0)
			break;
		k = get(f, domain);
	}
	return k;
}

/* a.b.c.d, a.b.c, a.b, a; for IPv6 cut at colons. */
static enum key_result find_address(struct search *f, str addr)
{
	char sep = str_chr(addr, ':') >= 0 ? ':' : '.';
	enum key_result k = get(f, addr);

	while (k == KEY_NONE && table_partial_keys(f->table)) {
		ptrdiff_t at = str_rchr(addr, sep);
		if (at <= 0)
			break;
		addr = str_head(addr, at);
		k = get(f, addr);
	}
	return k;
}

/* user+ext@dom, user@dom, dom and parents, user+ext@, user@ */
static enum key_result find_mail(struct search *f, str address)
{
	struct arena *a = f->e->arena;
	str local, domain, user;
	enum key_result k = get(f, address);
	ptrdiff_t ext;

	if (k != KEY_NONE || !table_partial_keys(f->table))
		return k;
	addr_split(address, &local, &domain);
	ext = addr_extension(local, conf.recipient_delimiter, conf.owner_request_special,
	    str_of(conf.double_bounce_sender));
	user = ext >= 0 ? str_head(local, ext) : local;
	if (ext >= 0)
		k = get(f, str_of(arena_printf(a, "%.*s@%.*s", STR_FMT(user), STR_FMT(domain))));
	if (k == KEY_NONE && domain.n)
		k = find_domain(f, domain);
	if (k == KEY_NONE)
		k = get(f, str_of(arena_printf(a, "%.*s@", STR_FMT(local))));
	if (k == KEY_NONE && ext >= 0)
		k = get(f, str_of(arena_printf(a, "%.*s@", STR_FMT(user))));
	return k;
}

static enum outcome conclude(struct search *f, enum key_result k, const char *object, const char *class)
{
	enum outcome o = OUT_DUNNO;

	if (k == KEY_FAILED)
		o = eval_config_error(f->e, object, class);
	else if (k == KEY_FOUND)
		o = access_act(f->e, table_spec(f->table), buf_view(&f->value), object, class);
	buf_free(&f->value);
	return o;
}

enum outcome check_client_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	const struct client *c = &e->s->client;
	enum key_result k = KEY_NONE;

	if (!table_is_address(r->table) && strcmp(c->name, "unknown") != 0)
		k = find_domain(&f, str_of(c->name));
	if (k == KEY_NONE)
		k = find_address(&f, str_of(c->addr));
	return conclude(&f, k, arena_printf(e->arena, "<%s>", c->namaddr), "Client host");
}

enum outcome check_reverse_client_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	const struct client *c = &e->s->client;
	enum key_result k = KEY_NONE;
	enum outcome o;

	if (strcmp(c->reverse_name, "unknown") != 0)
		k = find_domain(&f, str_of(c->reverse_name));
	o = conclude(&f, k, arena_printf(e->arena, "<%s>", c->reverse_name), "Unverified Client host");
	if (o == OUT_OK) {
		log_warn("%s: %s: OK is not allowed for an unverified name", r->name, table_spec(r->table));
		return eval_config_error(e, arena_printf(e->arena, "<%s>", c->reverse_name), "Unverified Client host");
	}
	return o;
}

enum outcome check_helo_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};

	if (!e->s->helo)
		return OUT_DUNNO;
	return conclude(&f, find_domain(&f, str_of(e->s->helo)),
	    arena_printf(e->arena, "<%s>", e->s->helo), "Helo command");
}

enum outcome check_sender_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	str sender = e->s->tx.sender;
	const char *object = arena_printf(e->arena, "<%.*s>", STR_FMT(sender));
	enum key_result k;

	if (!sender.p)
		return OUT_DUNNO;
	if (sender.n == 0) {
		str key = str_of(conf.smtpd_null_access_lookup_key);
		k = key.n ? get(&f, key) : KEY_NONE;
	} else {
		const struct resolved *route = eval_sender_route(e);
		k = find_mail(&f, route ? route->recipient : sender);
	}
	return conclude(&f, k, object, "Sender address");
}

enum outcome check_recipient_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};
	str rcpt = e->s->tx.rcpt;
	const struct resolved *route;

	if (rcpt.n == 0)
		return OUT_DUNNO;
	route = eval_rcpt_route(e);
	return conclude(&f, find_mail(&f, route ? route->recipient : rcpt),
	    arena_printf(e->arena, "<%.*s>", STR_FMT(rcpt)), "Recipient address");
}

enum outcome check_etrn_access(struct eval *e, const struct rule *r)
{
	struct search f = {.e = e, .table = r->table};

	if (e->etrn.n == 0)
		return OUT_DUNNO;
	return conclude(&f, find_domain(&f, e->etrn), eval_object(e), "Etrn command");
}
