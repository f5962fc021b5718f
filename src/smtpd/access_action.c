/* access(5): what the result of a table does. */
#include "smtpd/access.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/dsn.h"
#include "param/param.h"
#include "smtpd/proxy.h"
#include "smtpd/restrict.h"

struct action {
	struct eval *e;
	const char *table;
	struct subject about;
	str result, word, arg; /* the whole, its first word, what is behind that */
};

/* --- verdicts */

/* The reason behind an optional enhanced code, and that code or fallback. */
static const char *take_dsn(
    struct action *c, const char *fallback, const char *otherwise, const char **dsn)
{
	size_t n = dsn_valid(c->arg);
	str text = str_trim(str_from(c->arg, n));

	*dsn = n ? eval_fit_dsn(c->e, arena_cstr(c->e->arena, str_head(c->arg, n)), c->about.class)
		 : fallback;
	return text.n ? arena_cstr(c->e->arena, text) : otherwise;
}

static enum outcome deny(struct action *c, int code, const char *fallback)
{
	const char *dsn, *reason = take_dsn(c, fallback, "Access denied", &dsn);

	return eval_reject_subject(c->e, code, dsn, c->about, reason);
}

static enum outcome act_reject(struct action *c)
{
	return deny(c, conf.access_map_reject_code, "5.7.1");
}

static enum outcome act_defer(struct action *c)
{
	return deny(c, conf.access_map_defer_code, "4.7.1");
}

static enum outcome act_defer_if_permit(struct action *c)
{
	const char *dsn, *reason = take_dsn(c, "4.7.1", "Service unavailable", &dsn);

	eval_defer_if_permit(c->e, conf.access_map_defer_code, dsn, c->about, reason);
	return OUT_DUNNO;
}

static enum outcome act_defer_if_reject(struct action *c)
{
	const char *dsn, *reason = take_dsn(c, "4.7.1", "Service unavailable", &dsn);

	eval_defer_if_reject(c->e, conf.access_map_defer_code, dsn, c->about, reason);
	return OUT_DUNNO;
}

static enum outcome act_ok(struct action *c)
{
	return eval_permit(c->e, arena_cstr(c->e->arena, c->word), c->about, c->table);
}

static enum outcome act_dunno(struct action *c)
{
	(void)c;
	return OUT_DUNNO;
}

/* --- actions on the message */

/* What a rule says of the message can only be kept when there is one: a client or HELO rule must be
 * asked at RCPT; VRFY and ETRN have none. */
static bool too_early(struct action *c, const char *word)
{
	if (c->e->etrn.p && strcmp(word, "PREPEND") != 0) {
		log_warn("access table %s: action %s is unavailable in smtpd_etrn_restrictions",
		    c->table, word);
		return true;
	}
	if (c->e->s->tx.sender.p &&
	    (conf.smtpd_delay_reject || (c->e->list != LIST_CLIENT && c->e->list != LIST_HELO)))
		return false;
	log_warn("access table %s: with smtpd_delay_reject=no, action %s is always skipped in "
		 "Client host "
		 "or Helo command restrictions",
	    c->table, word);
	return true;
}

/* Mail that goes through a before-queue filter never sees our cleanup service. */
static bool unavailable(struct action *c, const char *word)
{
	if (!proxy_configured())
		return false;
	log_warn("access table %s: with smtpd_proxy_filter specified, action %s is unavailable",
	    c->table, word);
	return true;
}

static void log_action(struct action *c, const char *verb, const char *text)
{
	restrict_log(c->e->s, verb,
	    arena_printf(c->e->arena, "<%s>: %s %s", c->about.object, c->about.class, text));
}

static void log_triggers(struct action *c, const char *verb, const char *word)
{
	log_action(c, verb, arena_printf(c->e->arena, "triggers %s %.*s", word, STR_FMT(c->arg)));
}

/* "triggers HOLD action", or the text that the table gave. */
static void log_plain(struct action *c, const char *verb, const char *word)
{
	log_action(c, verb,
	    c->arg.n ? arena_cstr(c->e->arena, c->arg)
		     : arena_printf(c->e->arena, "triggers %s action", word));
}

static str keep(struct action *c)
{
	return arena_str(&c->e->s->tx.arena, c->arg);
}

/* Adds the action's argument to a list of the transaction. */
static void add(struct action *c, str **v, size_t *n, size_t *cap)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 4;
		str *larger = arena_alloc(&c->e->s->tx.arena, more * sizeof(*larger));

		if (*n)
			memcpy(larger, *v, *n * sizeof(*larger));
		*v = larger;
		*cap = more;
	}
	(*v)[(*n)++] = keep(c);
}

static enum outcome act_hold(struct action *c)
{
	if (too_early(c, "HOLD") || c->e->s->tx.act.hold)
		return OUT_DUNNO;
	log_plain(c, "hold", "HOLD");
	c->e->s->tx.act.hold = true;
	return OUT_DUNNO;
}

static enum outcome act_discard(struct action *c)
{
	if (too_early(c, "DISCARD"))
		return OUT_DUNNO;
	log_plain(c, "discard", "DISCARD");
	c->e->s->tx.act.discard = true;
	return eval_permit(c->e, "DISCARD", c->about, c->table);
}

static enum outcome act_filter(struct action *c)
{
	if (too_early(c, "FILTER") || unavailable(c, "FILTER"))
		return OUT_DUNNO;
	if (str_chr(c->arg, ':') <= 0) {
		log_warn("access table %s has FILTER entry \"%.*s\" without transport:destination",
		    c->table, STR_FMT(c->arg));
		return OUT_DUNNO;
	}
	log_triggers(c, "filter", "FILTER");
	c->e->s->tx.act.filter = keep(c);
	return OUT_DUNNO;
}

static bool has_address(struct action *c, const char *word)
{
	if (str_chr(c->arg, '@') > 0)
		return true;
	log_warn("access table %s: %s entry \"%.*s\" needs an address user@domain", c->table, word,
	    STR_FMT(c->arg));
	return false;
}

static enum outcome act_redirect(struct action *c)
{
	if (too_early(c, "REDIRECT") || unavailable(c, "REDIRECT") || !has_address(c, "REDIRECT"))
		return OUT_DUNNO;
	log_triggers(c, "redirect", "REDIRECT");
	c->e->s->tx.act.redirect = keep(c);
	return OUT_DUNNO;
}

static enum outcome act_bcc(struct action *c)
{
	struct message_actions *act = &c->e->s->tx.act;

	if (too_early(c, "BCC") || unavailable(c, "BCC") || !has_address(c, "BCC"))
		return OUT_DUNNO;
	log_triggers(c, "bcc", "BCC");
	for (size_t i = 0; i < act->nbcc; i++)
		if (str_eq(act->bcc[i], c->arg))
			return OUT_DUNNO;
	add(c, &act->bcc, &act->nbcc, &act->bcc_cap);
	return OUT_DUNNO;
}

/* A header line: "Name: value". It stands above our Received, in the order of the rules. */
static enum outcome act_prepend(struct action *c)
{
	struct message_actions *act = &c->e->s->tx.act;

	if (too_early(c, "PREPEND"))
		return OUT_DUNNO;
	if (c->e->list == LIST_END_OF_DATA)
		log_warn("access table %s: action PREPEND must be used before "
			 "smtpd_end_of_data_restrictions",
		    c->table);
	else if (str_chr(c->arg, ':') <= 0)
		log_warn("access table %s: PREPEND entry \"%.*s\" has no header name", c->table,
		    STR_FMT(c->arg));
	else
		add(c, &act->prepend, &act->nprepend, &act->prepend_cap);
	return OUT_DUNNO;
}

static enum outcome act_warn(struct action *c)
{
	restrict_log(c->e->s, "warn", arena_cstr(c->e->arena, c->arg));
	return OUT_DUNNO;
}

static enum outcome act_info(struct action *c)
{
	restrict_log(c->e->s, "info", arena_cstr(c->e->arena, c->arg));
	return OUT_DUNNO;
}

/* --- dispatch */

static const struct {
	const char *word;
	enum outcome (*act)(struct action *c);
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

/* "450 text", "550 5.1.1 text"; a number alone is for act_ok() */
static bool numeric_reply(struct action *c, enum outcome *o)
{
	uint64_t code;

	if (c->word.n != 3 || (c->word.p[0] != '4' && c->word.p[0] != '5') ||
	    !str_to_u64(c->word, &code) || c->arg.n == 0)
		return false;
	*o = deny(c, (int)code, c->word.p[0] == '4' ? "4.7.1" : "5.7.1");
	return true;
}

enum outcome access_act(struct eval *e, const char *table, str result, struct subject about)
{
	struct action c = {.e = e, .table = table, .about = about, .result = str_trim(result)};
	str rest = c.result;
	enum outcome o;

	if (!str_word(&rest, " \t\r\n", &c.word))
		return eval_table_error(e, about);
	c.arg = str_trim(rest);
	if (str_is_digits(c.result)) /* pop-before-smtp tables have times or addresses as values */
		return act_ok(&c);
	if (numeric_reply(&c, &o))
		return o;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_eq_nocase(c.word, str_of(actions[i].word)))
			return actions[i].act(&c);
	return eval_text(e, c.result, about);
}
