#include "smtpd/rules.h"

#include "base/htab.h"
#include "log/log.h"
#include "param/param.h"

#include <stdlib.h>

enum argument { NONE, TABLE, WORD, DNSBL, POLICY };

static const struct row {
	const char *name;
	enum outcome (*check)(struct eval *e, const struct rule *r);
	enum argument argument;
} rows[] = {
#define RESTRICTION(name, function, argument) {#name, check_##function, argument},
#include "smtpd/restrict.tbl"
#undef RESTRICTION
};

/* Names that mean another row. */
static const struct {
	const char *old, *name;
} old_names[] = {
    {"reject_unknown_client", "reject_unknown_client_hostname"},
    {"reject_unknown_hostname", "reject_unknown_helo_hostname"},
    {"reject_invalid_hostname", "reject_invalid_helo_hostname"},
    {"reject_non_fqdn_hostname", "reject_non_fqdn_helo_hostname"},
    {"reject_unknown_address", "reject_unknown_sender_domain"},
    {"check_recipient_maps", "reject_unlisted_recipient"},
};

/* What a bare table in a list means (SMTPD_ACCESS_README). */
static const char *const implied[LIST_COUNT] = {
    [LIST_CLIENT] = "check_client_access",
    [LIST_HELO] = "check_helo_access",
    [LIST_SENDER] = "check_sender_access",
    [LIST_RELAY] = "check_recipient_access",
    [LIST_RECIPIENT] = "check_recipient_access",
    [LIST_ETRN] = "check_etrn_access",
};

static struct arena forever;
static struct htab classes; /* name -> struct rules */

/* A list being parsed. */
struct parse {
	struct arena *a;
	enum list_id list;
	bool from_table;
	str rest;
};

static const struct row *find_row(str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(old_names); i++)
		if (str_eq_nocase(name, str_of(old_names[i].old)))
			name = str_of(old_names[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_eq_nocase(name, str_of(rows[i].name)))
			return &rows[i];
	return NULL;
}

static void take_table(struct parse *p, struct rule *r, str spec)
{
	struct err err;

	if (p->from_table)
		r->broken = "a table as the result of a table: name it in a restriction class";
	else if (str_chr(spec, ':') <= 0)
		r->broken = arena_printf(
		    p->a, "bad argument \"%.*s\": need maptype:mapname", STR_FMT(spec));
	else if (!(r->table = table_open(spec, TABLE_FOLD | TABLE_UTF8, &err)))
		r->broken = arena_printf(p->a, "%.*s is unavailable. %s", STR_FMT(spec), err.text);
}

static void take_policy(struct parse *p, struct rule *r, str spec)
{
	struct err err;

	if (p->from_table)
		r->broken =
		    "a policy server as the result of a table: name it in a restriction class";
	else if (!(r->policy = policy_service_get(spec, &err)))
		r->broken = arena_printf(p->a, "%s", err.text);
}

static void take_argument(struct parse *p, struct rule *r, enum argument kind)
{
	struct err err;
	str arg = {0};

	if (kind == NONE)
		return;
	str_word_braced(&p->rest, ", \t\r\n", &arg);
	if (kind == TABLE)
		take_table(p, r, arg);
	else if (kind == POLICY)
		take_policy(p, r, arg);
	else if (kind == WORD)
		r->word = arena_cstr(p->a, arg);
	else if (!(r->dnsbl = dnsbl_parse(p->a, arg, &err)))
		r->broken = arena_printf(p->a, "bad argument: %s", err.text);
}

static struct rule parse_one(struct parse *p, str word)
{
	struct rule r = {.name = arena_cstr(p->a, word)};
	const struct row *row = find_row(word);

	if (row) {
		r.check = row->check;
		take_argument(p, &r, row->argument);
	} else if ((r.class = htab_get(&classes, word))) {
		;
	} else if (str_chr(word, ':') > 0 && implied[p->list]) {
		r.check = find_row(str_of(implied[p->list]))->check;
		take_table(p, &r, word);
	} else {
		r.broken = "";
	}
	return r;
}

static bool is_final(const struct rules *l)
{
	const struct rule *r = &l->v[l->n - 1];

	if (l->n > 1 && l->v[l->n - 2].check == check_warn_if_reject)
		return r->check == check_permit;
	return r->check == check_permit || r->check == check_reject || r->check == check_defer;
}

static struct rules *parse(struct parse *p)
{
	struct rules *l = arena_zero(p->a, sizeof(*l));
	size_t cap = 0;
	str word;

	while (str_word_braced(&p->rest, ", \t\r\n", &word)) {
		if (l->n > 0 && is_final(l)) {
			log_warn("restriction `%.*s' after `%s' is ignored", STR_FMT(word),
			    l->v[l->n - 1].name);
			break;
		}
		if (l->n == cap) {
			struct rule *more = arena_alloc(p->a, (cap ? cap * 2 : 8) * sizeof(*more));
			if (cap)
				memcpy(more, l->v, cap * sizeof(*more));
			l->v = more;
			cap = cap ? cap * 2 : 8;
		}
		l->v[l->n++] = parse_one(p, word);
	}
	return l;
}

struct rules *rules_parse(const char *text, enum list_id list)
{
	struct parse p = {.a = &forever, .list = list, .rest = str_of(text)};

	return parse(&p);
}

const struct rules *rules_of_text(struct arena *a, str text, enum list_id list)
{
	struct parse p = {.a = a, .list = list, .from_table = true, .rest = text};

	return parse(&p);
}

void rules_warn_broken(const struct rule *r)
{
	if (*r->broken)
		log_warn("restriction %s: %s", r->name, r->broken);
	else
		log_warn("unknown smtpd restriction: \"%s\"", r->name);
}

/* A class without definition is an unknown restriction. */
static bool class_text(str name, struct buf *text)
{
	char *cname = str_dup(name);
	bool known;

	buf_clear(text);
	known = conf_get(cname, text) && str_trim(buf_view(text)).n > 0;
	if (!known)
		log_warn("restriction class `%s' needs a definition", cname);
	free(cname);
	return known;
}

/* A class may name classes: all names are known before any list is parsed. */
void rules_setup(void)
{
	str rest = str_of(conf.smtpd_restriction_classes), name;
	struct buf text = {0};

	while (str_word(&rest, ", \t\r\n", &name))
		if (class_text(name, &text))
			htab_set(&classes, name, arena_zero(&forever, sizeof(struct rules)));
	rest = str_of(conf.smtpd_restriction_classes);
	while (str_word(&rest, ", \t\r\n", &name)) {
		struct rules *r = htab_get(&classes, name);

		if (r && class_text(name, &text))
			*r = *rules_parse(buf_text(&text), LIST_RECIPIENT);
	}
	buf_free(&text);
}

bool rules_close_relay(const struct rules *l)
{
	static const char *const closing[] = {"reject_unauth_destination",
	    "defer_unauth_destination", "reject", "defer", "defer_if_permit", NULL};

	for (size_t i = 0; i < l->n; i++) {
		if (i > 0 && l->v[i - 1].check == check_warn_if_reject)
			continue;
		for (size_t k = 0; closing[k]; k++)
			if (strcasecmp(l->v[i].name, closing[k]) == 0)
				return true;
	}
	return false;
}
