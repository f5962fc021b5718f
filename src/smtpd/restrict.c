#include "smtpd/restrict.h"

#include "base/names.h"
#include "log/event.h"
#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "smtpd/client.h"
#include "smtpd/rules.h"

#include <stdarg.h>
#include <stdio.h>

static struct rules *lists[LIST_COUNT];
static uint32_t override_mask;

/* --- setup */

static const struct name_row override_names[] = {
    {"no_unknown_recipient_checks", 1 << 30},
    {"no_address_mappings", CLEANUP_FLAG_MAP | CLEANUP_FLAG_BCC},
    {"no_header_body_checks", CLEANUP_FLAG_FILTER},
    {"no_milters", CLEANUP_FLAG_MILTER},
    {NULL, 0},
};

static void parse_overrides(void)
{
	uint64_t mask = 0;
	struct err err;

	if (names_mask(override_names, str_of(conf.receive_override_options), &mask, &err) < 0)
		log_fatal("receive_override_options: %s", err.text);
	override_mask = (uint32_t)mask;
}

static void check_relay_is_closed(void)
{
	if (rules_close_relay(lists[LIST_RELAY]) || rules_close_relay(lists[LIST_RECIPIENT]))
		return;
	log_fatal("in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at "
		  "least one working instance of: reject_unauth_destination, "
		  "defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains");
}

void restrict_setup(void)
{
	rules_setup();
	lists[LIST_CLIENT] = rules_parse(conf.smtpd_client_restrictions, LIST_CLIENT);
	lists[LIST_HELO] = rules_parse(conf.smtpd_helo_restrictions, LIST_HELO);
	lists[LIST_SENDER] = rules_parse(conf.smtpd_sender_restrictions, LIST_SENDER);
	lists[LIST_RELAY] = rules_parse(conf.smtpd_relay_restrictions, LIST_RELAY);
	lists[LIST_RECIPIENT] = rules_parse(conf.smtpd_recipient_restrictions, LIST_RECIPIENT);
	lists[LIST_ETRN] = rules_parse(conf.smtpd_etrn_restrictions, LIST_ETRN);
	lists[LIST_DATA] = rules_parse(conf.smtpd_data_restrictions, LIST_DATA);
	lists[LIST_END_OF_DATA] = rules_parse(conf.smtpd_end_of_data_restrictions, LIST_END_OF_DATA);
	check_relay_is_closed();
	parse_overrides();
	check_client_setup();
	check_unlisted_setup();
}

uint32_t restrict_override_mask(void)
{
	return override_mask & CLEANUP_MASK_EXTERNAL;
}

/* local_header_rewrite_clients is a list of restrictions: permit_mynetworks and friends, or tables. */
bool restrict_local_client(struct session *s)
{
	return client_is_local(s, conf.local_header_rewrite_clients);
}

/* --- log and verdicts */

void restrict_log(struct session *s, const char *verb, const char *text)
{
	str from = s->tx.sender.p ? s->tx.sender : LOG_NONE;
	str to = s->tx.rcpt.n ? s->tx.rcpt : LOG_NONE;

	log_smtpd_verdict(s->tx.queue_id[0] ? s->tx.queue_id : "NOQUEUE", verb, s->stage,
	    s->client.namaddr, text, from, to, s->protocol, s->helo, NULL, NULL, NULL);
}

static enum outcome refuse(struct eval *e, const char *reply)
{
	struct session *s = e->s;

	if (e->warn) {
		restrict_log(s, "reject_warning", reply);
		return OUT_DUNNO;
	}
	if (reply[0] == '5' && e->defer_if_reject[0])
		reply = e->defer_if_reject;
	buf_clear(&s->verdict);
	buf_cstr(&s->verdict, reply);
	restrict_log(s, "reject", buf_text(&s->verdict));
	return OUT_REJECT;
}

/* The class of the enhanced code follows the reply code. */
static void format_reply(struct buf *out, int code, const char *dsn, const char *fmt, va_list ap)
{
	buf_printf(out, "%d %c%s ", code, '0' + code / 100, dsn[0] ? dsn + 1 : ".7.1");
	buf_vprintf(out, fmt, ap);
}

enum outcome eval_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
{
	struct buf reply = {0};
	enum outcome o;
	va_list ap;

	va_start(ap, fmt);
	format_reply(&reply, code, dsn, fmt, ap);
	va_end(ap);
	o = refuse(e, buf_text(&reply));
	buf_free(&reply);
	return o;
}

static void keep_pending(char *where, size_t size, int code, const char *dsn, const char *fmt, va_list ap)
{
	struct buf reply = {0};

	if (where[0])
		return; /* the first one counts */
	format_reply(&reply, code, dsn, fmt, ap);
	snprintf(where, size, "%s", buf_text(&reply));
	buf_free(&reply);
}

void eval_defer_if_permit(struct eval *e, int code, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep_pending(e->defer_if_permit, sizeof(e->defer_if_permit), code, dsn, fmt, ap);
	va_end(ap);
}

void eval_defer_if_reject(struct eval *e, int code, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep_pending(e->defer_if_reject, sizeof(e->defer_if_reject), code, dsn, fmt, ap);
	va_end(ap);
}

enum outcome eval_config_error(struct eval *e, const char *object, const char *class)
{
	return eval_reject(e, 451, "4.3.5", "%s: %s rejected: Server configuration error", object, class);
}

enum outcome eval_lookup_error(struct eval *e, const char *object, const char *class)
{
	return eval_reject(e, 451, "4.3.0", "%s: %s rejected: Temporary lookup failure", object, class);
}

/* --- what a list is about */

const char *eval_object(struct eval *e)
{
	struct session *s = e->s;

	switch (e->list) {
	case LIST_CLIENT:
		return arena_printf(e->arena, "<%s>", s->client.namaddr);
	case LIST_HELO:
		return arena_printf(e->arena, "<%s>", s->helo ? s->helo : "");
	case LIST_SENDER:
		return arena_printf(e->arena, "<%.*s>", STR_FMT(s->tx.sender));
	case LIST_ETRN:
		return arena_printf(e->arena, "<%.*s>", STR_FMT(e->etrn));
	case LIST_DATA:
		return s->content ? "<BDAT>" : arena_printf(e->arena, "<%s>", s->stage);
	case LIST_END_OF_DATA:
		return "<END-OF-MESSAGE>";
	default:
		return arena_printf(e->arena, "<%.*s>", STR_FMT(s->tx.rcpt));
	}
}

const char *eval_class(const struct eval *e)
{
	static const char *const names[LIST_COUNT] = {
	    [LIST_CLIENT] = "Client host",
	    [LIST_HELO] = "Helo command",
	    [LIST_SENDER] = "Sender address",
	    [LIST_RELAY] = "Recipient address",
	    [LIST_RECIPIENT] = "Recipient address",
	    [LIST_ETRN] = "Etrn command",
	    [LIST_DATA] = "Data command",
	    [LIST_END_OF_DATA] = "End-of-data",
	};

	return names[e->list];
}

int eval_route(struct eval *e, str address, struct resolved *r)
{
	int64_t deadline = deadline_in(conf.ipc_timeout * 1000L);
	struct err err;
	str full;

	if (rewrite_address(STR("local"), address, e->arena, &full, deadline, &err) == 0 &&
	    rewrite_resolve(STR(""), full, false, e->arena, r, deadline, &err) == 0)
		return 0;
	log_warn("%s", err.text);
	return -1;
}

static const struct resolved *route(struct eval *e, str address, bool *have, struct resolved *r)
{
	if (!*have && eval_route(e, address, r) < 0)
		return NULL;
	*have = true;
	return r;
}

const struct resolved *eval_rcpt_route(struct eval *e)
{
	return route(e, e->s->tx.rcpt, &e->have_rcpt_route, &e->rcpt_route);
}

const struct resolved *eval_sender_route(struct eval *e)
{
	return route(e, e->s->tx.sender, &e->have_sender_route, &e->sender_route);
}

/* --- evaluation */

static enum outcome run_rules(struct eval *e, const struct rules *rules);

static enum outcome run_rule(struct eval *e, const struct rule *r)
{
	if (r->broken) {
		if (strcmp(r->broken, "unknown") == 0)
			log_warn("unknown smtpd restriction: \"%s\"", r->name);
		return eval_config_error(e, eval_object(e), eval_class(e));
	}
	if (r->class)
		return run_rules(e, r->class);
	return r->check(e, r);
}

static enum outcome run_rules(struct eval *e, const struct rules *rules)
{
	enum outcome o = OUT_DUNNO;

	if (e->depth > 20) {
		log_warn("smtpd restrictions are nested too deeply");
		return eval_config_error(e, eval_object(e), eval_class(e));
	}
	e->depth++;
	for (size_t i = 0; i < rules->n && o == OUT_DUNNO; i++) {
		bool was_warn = e->warn;
		o = run_rule(e, &rules->v[i]);
		if (was_warn)
			e->warn = false;
	}
	e->depth--;
	return o;
}

enum outcome eval_text_as(
    struct eval *e, str restrictions, const char *table, const char *object, const char *class)
{
	const struct rules *rules = rules_of_text(restrictions, e->list);

	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].broken) {
			log_warn("access table %s: unknown action or restriction \"%.*s\"", table,
			    STR_FMT(restrictions));
			return eval_config_error(e, object, class);
		}
	return run_rules(e, rules);
}

static enum outcome run_list(struct eval *e, enum list_id list)
{
	e->list = list;
	e->warn = false;
	return run_rules(e, lists[list]);
}

/* What was put off until the request would be permitted strikes now. */
static enum outcome settle(struct eval *e, enum outcome o)
{
	if (o != OUT_REJECT && e->defer_if_permit[0] && !e->s->tx.act.discard) {
		e->warn = false;
		o = refuse(e, e->defer_if_permit);
	}
	return o;
}

/* Begins an evaluation whose memory ends with it. */
struct evaluation {
	struct eval e;
	struct arena arena;
};

static struct eval *begin(struct evaluation *v, struct session *s)
{
	memset(v, 0, sizeof(*v));
	v->e.s = s;
	v->e.arena = &v->arena;
	return &v->e;
}

static bool end(struct evaluation *v, enum outcome o)
{
	o = settle(&v->e, o);
	arena_free(&v->arena);
	return o != OUT_REJECT;
}

bool restrict_connect(struct session *s)
{
	struct evaluation v;
	struct eval *e;

	if (conf.smtpd_delay_reject || lists[LIST_CLIENT]->n == 0)
		return true;
	e = begin(&v, s);
	return end(&v, run_list(e, LIST_CLIENT));
}

bool restrict_helo(struct session *s)
{
	struct evaluation v;
	struct eval *e;

	if (conf.smtpd_delay_reject || lists[LIST_HELO]->n == 0)
		return true;
	e = begin(&v, s);
	return end(&v, run_list(e, LIST_HELO));
}

bool restrict_mail(struct session *s)
{
	struct evaluation v;
	struct eval *e;
	enum outcome o = OUT_DUNNO;

	if (conf.smtpd_delay_reject)
		return true;
	e = begin(&v, s);
	o = run_list(e, LIST_SENDER);
	if (o != OUT_REJECT && conf.smtpd_reject_unlisted_sender && !e->sender_checked)
		o = check_sender_exists(e);
	return end(&v, o);
}

/* Client, HELO and sender lists that waited for RCPT; OK in one does not spare the next. */
static enum outcome delayed(struct eval *e)
{
	enum outcome o = run_list(e, LIST_CLIENT);

	if (o != OUT_REJECT && e->s->helo)
		o = run_list(e, LIST_HELO);
	if (o != OUT_REJECT)
		o = run_list(e, LIST_SENDER);
	if (o != OUT_REJECT && conf.smtpd_reject_unlisted_sender && !e->sender_checked) {
		e->list = LIST_SENDER;
		o = check_sender_exists(e);
	}
	return o;
}

static enum outcome judge_rcpt(struct eval *e)
{
	static const enum list_id order[2][2] = {
	    {LIST_RECIPIENT, LIST_RELAY}, {LIST_RELAY, LIST_RECIPIENT}};
	const enum list_id *lists_in_order = order[conf.smtpd_relay_before_recipient_restrictions];
	enum outcome o = OUT_DUNNO;

	if (conf.smtpd_delay_reject)
		o = delayed(e);
	for (int i = 0; i < 2 && o != OUT_REJECT; i++)
		o = run_list(e, lists_in_order[i]);
	if (o == OUT_REJECT)
		return o;
	e->list = LIST_RECIPIENT;
	e->warn = false;
	if (conf.smtpd_reject_unlisted_recipient && !e->rcpt_checked && !(override_mask & (1 << 30)) &&
	    !e->s->tx.act.discard)
		o = check_rcpt_exists(e);
	return o;
}

bool restrict_rcpt(struct session *s)
{
	struct evaluation v;
	struct eval *e = begin(&v, s);

	return end(&v, judge_rcpt(e));
}

bool restrict_vrfy(struct session *s, str address)
{
	struct evaluation v;
	struct eval *e = begin(&v, s);
	str keep = s->tx.rcpt;
	bool good;

	s->tx.rcpt = address;
	good = end(&v, judge_rcpt(e));
	s->tx.rcpt = keep;
	return good;
}

bool restrict_etrn(struct session *s, str site)
{
	struct evaluation v;
	struct eval *e = begin(&v, s);
	enum outcome o = OUT_DUNNO;

	e->etrn = site;
	if (conf.smtpd_delay_reject)
		o = run_list(e, LIST_CLIENT);
	if (o != OUT_REJECT && conf.smtpd_delay_reject && s->helo)
		o = run_list(e, LIST_HELO);
	if (o != OUT_REJECT)
		o = run_list(e, LIST_ETRN);
	return end(&v, o);
}

/* At DATA and END-OF-MESSAGE a recipient is shown only when there is exactly one. */
static bool late_stage(struct session *s, enum list_id list)
{
	struct evaluation v;
	struct eval *e;

	if (lists[list]->n == 0)
		return true;
	e = begin(&v, s);
	s->tx.rcpt = s->tx.nrcpts == 1 ? s->tx.rcpts[0].env.address : str_of("");
	return end(&v, run_list(e, list));
}

bool restrict_data(struct session *s)
{
	return late_stage(s, LIST_DATA);
}

bool restrict_end_of_data(struct session *s)
{
	s->stage = "END-OF-MESSAGE";
	return late_stage(s, LIST_END_OF_DATA);
}
