#include "smtpd/restrict.h"

#include "base/names.h"
#include "log/event.h"
#include "log/log.h"
#include "param/param.h"
#include "smtpd/client.h"
#include "smtpd/rules.h"
#include "smtpd/standalone.h"

#include <stdlib.h>

static struct rules *lists[LIST_COUNT];
static uint32_t override_mask;

#define NO_RECIPIENT_CHECKS (1 << 30)

/* --- setup */

static const struct name_row override_names[] = {
    {"no_unknown_recipient_checks", NO_RECIPIENT_CHECKS},
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
	if (rules_close_relay(lists[LIST_RELAY]) || rules_close_relay(lists[LIST_RECIPIENT]) ||
	    standalone_drops())
		return;
	log_fatal(
	    "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at "
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
	lists[LIST_END_OF_DATA] =
	    rules_parse(conf.smtpd_end_of_data_restrictions, LIST_END_OF_DATA);
	check_relay_is_closed();
	parse_overrides();
	eval_setup();
	check_client_setup();
	check_unlisted_setup();
	check_login_setup();
	check_rbl_setup();
}

uint32_t restrict_override_mask(void)
{
	return override_mask & CLEANUP_MASK_EXTERNAL;
}

bool restrict_local_client(struct session *s)
{
	return client_is_local(s);
}

void restrict_log(struct session *s, const char *verb, const char *text)
{
	str from = s->tx.sender.p ? s->tx.sender : LOG_NONE;
	str to = s->tx.rcpt.n ? s->tx.rcpt : LOG_NONE;

	struct buf sasl_sender = {0};

	buf_str(&sasl_sender, s->tx.sasl_sender);
	log_smtpd_verdict(s->tx.queue_id, verb, s->stage, s->client.namaddr, text, from, to,
	    s->protocol, s->helo, s->sasl_method, s->sasl_username, buf_text(&sasl_sender));
	buf_free(&sasl_sender);
}

/* --- evaluation */

static enum outcome run_rules(struct eval *e, const struct rules *rules);

static enum outcome run_rule(struct eval *e, const struct rule *r)
{
	if (r->broken) {
		rules_warn_broken(r);
		return eval_config_error(e);
	}
	return r->class ? run_rules(e, r->class) : r->check(e, r);
}

/* warn_if_reject holds for the next restriction: all of it, when that is a class or what a table
 * says; and not beyond the end of its list. */
static enum outcome run_rules(struct eval *e, const struct rules *rules)
{
	enum outcome o = OUT_DUNNO;
	bool outer = e->warn;

	if (e->depth > 20) {
		log_warn("smtpd restrictions are nested too deeply");
		return eval_config_error(e);
	}
	e->depth++;
	for (size_t i = 0; i < rules->n && o == OUT_DUNNO; i++) {
		o = run_rule(e, &rules->v[i]);
		if (rules->v[i].check != check_warn_if_reject)
			e->warn = outer;
		/* Whatever comes, the answer will be "later": nothing more need be asked. */
		if (o == OUT_DUNNO && e->defer_if_permit && e->defer_if_reject)
			o = OUT_OK;
	}
	e->warn = outer;
	e->depth--;
	return o;
}

enum outcome eval_text(struct eval *e, str restrictions, struct subject about)
{
	const struct subject *outer = e->about;
	enum outcome o;

	e->about = &about;
	o = run_rules(e, rules_of_text(e->arena, restrictions, e->list));
	e->about = outer;
	return o;
}

static enum outcome run_list(struct eval *e, enum list_id list)
{
	e->list = list;
	e->warn = false;
	/* Unlike defer_if_permit it ends with its list. Relay and recipient lists are as one. */
	if (list != LIST_RELAY && list != LIST_RECIPIENT)
		e->defer_if_reject = NULL;
	return run_rules(e, lists[list]);
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

/* What was put off until the request would be permitted strikes now. */
static bool end(struct evaluation *v, enum outcome o)
{
	if (o != OUT_REJECT)
		o = eval_settle(&v->e);
	arena_free(&v->arena);
	return o != OUT_REJECT;
}

/* A message that is discarded as a whole need not be judged any more. */
static bool is_free(const struct session *s)
{
	return s->tx.act.discard || standalone_drops();
}

static bool one_list(struct session *s, enum list_id list)
{
	struct evaluation v;
	struct eval *e;

	if (lists[list]->n == 0 || is_free(s))
		return true;
	e = begin(&v, s);
	return end(&v, run_list(e, list));
}

/* A list that is judged before RCPT: what it puts off is kept, to strike there. */
static bool early_list(struct session *s, enum list_id list, char **deferral)
{
	struct evaluation v;
	struct eval *e;
	enum outcome o;

	free(*deferral);
	*deferral = NULL;
	if (conf.smtpd_delay_reject || is_free(s))
		return true;
	e = begin(&v, s);
	o = run_list(e, list);
	if (o != OUT_REJECT && e->defer_if_permit)
		*deferral = str_dup(str_of(e->defer_if_permit));
	arena_free(&v.arena);
	return o != OUT_REJECT;
}

bool restrict_connect(struct session *s)
{
	return early_list(s, LIST_CLIENT, &s->connect_deferral);
}

bool restrict_helo(struct session *s)
{
	return early_list(s, LIST_HELO, &s->helo_deferral);
}

static enum outcome judge_sender(struct eval *e)
{
	enum outcome o = run_list(e, LIST_SENDER);

	if (o != OUT_REJECT && conf.smtpd_reject_unlisted_sender && !e->sender_checked &&
	    !e->s->tx.act.discard) {
		e->warn = false;
		o = check_sender_exists(e);
	}
	return o;
}

bool restrict_mail(struct session *s)
{
	struct evaluation v;
	struct eval *e;
	enum outcome o;

	if (conf.smtpd_delay_reject || is_free(s))
		return true;
	e = begin(&v, s);
	o = judge_sender(e);
	if (o != OUT_REJECT && e->defer_if_permit)
		s->tx.deferral = arena_cstr(&s->tx.arena, str_of(e->defer_if_permit));
	arena_free(&v.arena);
	return o != OUT_REJECT;
}

static const char *early_deferral(const struct session *s)
{
	if (s->connect_deferral)
		return s->connect_deferral;
	return s->helo_deferral ? s->helo_deferral : s->tx.deferral;
}

/* Client, HELO and sender lists that waited for RCPT; OK in one does not spare the next. */
static enum outcome delayed(struct eval *e)
{
	enum outcome o = run_list(e, LIST_CLIENT);

	if (o != OUT_REJECT && e->s->helo)
		o = run_list(e, LIST_HELO);
	/* VRFY need not have a sender. */
	return o == OUT_REJECT || !e->s->tx.sender.p ? o : judge_sender(e);
}

static enum outcome judge_rcpt(struct eval *e)
{
	static const enum list_id order[2][2] = {
	    {LIST_RECIPIENT, LIST_RELAY}, {LIST_RELAY, LIST_RECIPIENT}};
	const enum list_id *lists_in_order = order[conf.smtpd_relay_before_recipient_restrictions];
	enum outcome o = OUT_DUNNO;

	if (conf.smtpd_delay_reject)
		o = delayed(e);
	else
		e->defer_if_permit = early_deferral(e->s);
	e->defer_if_reject = NULL;
	for (int i = 0; i < 2 && o != OUT_REJECT && !e->s->tx.act.discard; i++)
		o = run_list(e, lists_in_order[i]);
	if (o == OUT_REJECT || e->s->tx.act.discard || e->defer_if_permit)
		return o;
	e->list = LIST_RECIPIENT;
	e->warn = false;
	if (conf.smtpd_reject_unlisted_recipient && !e->rcpt_checked &&
	    !(override_mask & NO_RECIPIENT_CHECKS))
		o = check_rcpt_exists(e);
	return o;
}

/* The postmaster can always be reached (RFC 5321 4.5.1), and so can the sender of our probes, or
 * others could not verify us. */
static bool is_welcome(str rcpt)
{
	str probe = str_of(conf.address_verify_sender), local = rcpt;
	ptrdiff_t at = str_rchr(rcpt, '@');

	if (str_eq_nocase(rcpt, STR("postmaster")))
		return true;
	if (probe.n == 0 || conf.address_verify_sender_ttl > 0)
		return false;
	if (str_rchr(probe, '@') < 0) { /* it is completed with the origin */
		if (at < 0 || !str_eq_nocase(str_from(rcpt, (size_t)at + 1), str_of(conf.myorigin)))
			return false;
		local = str_head(rcpt, (size_t)at);
	}
	return str_eq_nocase(local, probe);
}

bool restrict_rcpt(struct session *s)
{
	struct evaluation v;
	struct eval *e;

	if (is_welcome(s->tx.rcpt))
		return true;
	/* What was put off before a message was to be discarded strikes all the same. */
	if (is_free(s) && (conf.smtpd_delay_reject || !early_deferral(s)))
		return true;
	e = begin(&v, s);
	return end(&v, judge_rcpt(e));
}

bool restrict_vrfy(struct session *s, str address)
{
	str keep = s->tx.rcpt;
	bool good;

	s->tx.rcpt = address;
	good = restrict_rcpt(s);
	s->tx.rcpt = keep;
	return good;
}

bool restrict_etrn(struct session *s, str site)
{
	struct evaluation v;
	enum outcome o = OUT_DUNNO;
	struct eval *e;

	if (is_free(s))
		return true;
	e = begin(&v, s);
	e->etrn = site;
	if (conf.smtpd_delay_reject)
		o = run_list(e, LIST_CLIENT);
	else
		e->defer_if_permit = early_deferral(s);
	if (o != OUT_REJECT && conf.smtpd_delay_reject && s->helo)
		o = run_list(e, LIST_HELO);
	if (o != OUT_REJECT)
		o = run_list(e, LIST_ETRN);
	return end(&v, o);
}

/* At DATA and END-OF-MESSAGE a recipient is shown only when there is exactly one. */
static bool late_stage(struct session *s, enum list_id list)
{
	s->tx.rcpt = s->tx.nrcpts == 1 ? s->tx.rcpts[0].address : str_of("");
	return one_list(s, list);
}

bool restrict_data(struct session *s)
{
	return late_stage(s, LIST_DATA);
}

bool restrict_asks_at_end(void)
{
	return lists[LIST_END_OF_DATA]->n > 0;
}

bool restrict_end_of_data(struct session *s)
{
	return late_stage(s, LIST_END_OF_DATA);
}
