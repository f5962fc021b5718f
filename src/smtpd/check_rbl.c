/* Restrictions that ask DNS lists: blocked (rbl, rhsbl) and welcome (dnswl, rhswl) ones. */
#include "smtpd/eval.h"
#include "smtpd/rules.h"

#include "log/log.h"
#include "mail/addr.h"
#include "param/param.h"
#include "smtpd/template.h"
#include "smtpwire/reply.h"

#include <stdio.h>

static struct maps *replies;

void check_rbl_setup(void)
{
	replies = maps_open("rbl_reply_maps", conf.rbl_reply_maps, 0);
}

/* --- replies */

/* The template of a list: from rbl_reply_maps, or default_rbl_reply. */
static void find_template(const struct dnsbl *l, struct buf *text)
{
	enum table_result t = TABLE_NONE;
	struct err err;

	if (!maps_empty(replies) &&
	    (t = maps_get(replies, str_of(l->domain), text, &err)) == TABLE_ERROR)
		log_warn("rbl_reply_maps: %s", err.text);
	if (t != TABLE_FOUND) {
		buf_clear(text);
		buf_cstr(text, conf.default_rbl_reply);
	}
}

static enum outcome refuse_as(struct eval *e, str reply, const char *class)
{
	const char *fitting;
	str dsn, text;
	int code;

	if (!reply_split(reply, &code, &dsn, &text) || code < 400) {
		log_warn("rbl response code configuration error: %.*s", STR_FMT(reply));
		return eval_reject(e, 450, "4.7.1", "Service unavailable");
	}
	fitting = dsn.n ? eval_fit_dsn(e, arena_cstr(e->arena, dsn), class) : "5.7.1";
	return eval_reject(e, code, fitting, "%.*s", STR_FMT(text));
}

static enum outcome blocked(struct eval *e, const struct dnsbl *l, str name, struct subject about)
{
	char code[16];
	const struct template_extra extra[] = {
	    {"rbl_code", code},
	    {"rbl_class", about.class},
	    {"rbl_what", about.object},
	    {"rbl_domain", l->domain},
	    {"rbl_reason", dnsbl_reason(l, name, e->arena)},
	    {NULL, NULL},
	};
	struct buf text = {0}, reply = {0};
	enum outcome o;

	snprintf(code, sizeof(code), "%d", conf.maps_rbl_reject_code);
	find_template(l, &text);
	template_expand(e->s, "default_rbl_reply", buf_view(&text), extra, &reply);
	o = refuse_as(e, buf_view(&reply), about.class);
	buf_free(&text);
	buf_free(&reply);
	return o;
}

/* --- lists of those who are not wanted */

enum outcome check_rbl_client(struct eval *e, const struct rule *r)
{
	struct subject about = {e->s->client.addr, "Client host"};
	str reversed;

	if (dnsbl_ask_addr(r->dnsbl, &e->s->client.sock, e->arena, &reversed) != DNSBL_LISTED)
		return OUT_DUNNO;
	return blocked(e, r->dnsbl, reversed, about);
}

/* A domain: no address, no literal, with a dot. */
static bool can_be_listed(str domain)
{
	return domain.n > 0 && domain.p[0] != '[' && !hostaddr_is_numeric(domain) &&
	       hostname_valid(domain, NULL);
}

static enum outcome check_name(
    struct eval *e, const struct rule *r, str domain, struct subject about)
{
	if (!can_be_listed(domain) || dnsbl_ask_name(r->dnsbl, domain, e->arena) != DNSBL_LISTED)
		return OUT_DUNNO;
	return blocked(e, r->dnsbl, domain, about);
}

static bool is_known(const char *name)
{
	return strcmp(name, "unknown") != 0;
}

enum outcome check_rhsbl_client(struct eval *e, const struct rule *r)
{
	const char *name = e->s->client.name;

	if (!is_known(name))
		return OUT_DUNNO;
	return check_name(e, r, str_of(name), (struct subject){name, "Client host"});
}

enum outcome check_rhsbl_reverse_client(struct eval *e, const struct rule *r)
{
	const char *name = e->s->client.reverse_name;

	if (!is_known(name))
		return OUT_DUNNO;
	return check_name(e, r, str_of(name), (struct subject){name, "Unverified Client host"});
}

enum outcome check_rhsbl_helo(struct eval *e, const struct rule *r)
{
	return e->s->helo ? check_name(e, r, str_of(e->s->helo), eval_helo(e)) : OUT_DUNNO;
}

enum outcome check_rhsbl_sender(struct eval *e, const struct rule *r)
{
	return check_name(e, r, addr_domain(e->s->tx.sender), eval_sender(e));
}

enum outcome check_rhsbl_recipient(struct eval *e, const struct rule *r)
{
	return check_name(e, r, addr_domain(e->s->tx.rcpt), eval_recipient(e));
}

/* --- lists of those who are welcome */

/* Never opens the relay: a foreign recipient is for others to permit. */
static enum outcome welcome(
    struct eval *e, const struct rule *r, enum dnsbl_answer answer, struct subject about)
{
	switch (answer) {
	case DNSBL_LISTED:
		if (e->s->tx.rcpt.n && eval_destination(e) != DEST_OURS)
			return OUT_DUNNO;
		return eval_permit(e, r->name, about, NULL);
	case DNSBL_FAILED:
		eval_defer_if_reject(e, 450, "4.7.1", about, "Service unavailable");
		return OUT_DUNNO;
	default:
		return OUT_DUNNO;
	}
}

enum outcome check_dnswl_client(struct eval *e, const struct rule *r)
{
	struct subject about = {e->s->client.addr, "Client host"};
	str reversed;

	return welcome(
	    e, r, dnsbl_ask_addr(r->dnsbl, &e->s->client.sock, e->arena, &reversed), about);
}

enum outcome check_rhswl_client(struct eval *e, const struct rule *r)
{
	const char *name = e->s->client.name;
	struct subject about = {name, "Client host"};

	if (!is_known(name))
		return OUT_DUNNO;
	return welcome(e, r, dnsbl_ask_name(r->dnsbl, str_of(name), e->arena), about);
}
