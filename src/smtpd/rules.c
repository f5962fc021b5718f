#include "smtpd/rules.h"

#include "base/htab.h"
#include "log/log.h"
#include "param/param.h"

#include <stdio.h>
#include <stdlib.h>

enum argument { NONE, TABLE, WORD };

static const struct row {
	const char *name;
	enum outcome (*check)(struct eval *e, const struct rule *r);
	enum argument argument;
} rows[] = {
#define RESTRICTION(name, function, argument, prose) {#name, check_##function, argument},
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

static struct htab classes;    /* name -> struct rules */
static struct htab text_cache; /* list and text -> struct rules */

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

static void open_table(struct rule *r, str spec)
{
	struct err err;

	if (spec.n == 0 || str_chr(spec, ':') <= 0) {
		log_warn("restriction %s needs a table: \"%.*s\"", r->name, STR_FMT(spec));
		r->broken = "no table";
		return;
	}
	r->table = table_open(spec, TABLE_FOLD | TABLE_UTF8, &err);
	if (!r->table) {
		log_warn("%s: %s", r->name, err.text);
		r->broken = "bad table";
	}
}

static struct rule parse_one(str word, str *rest, enum list_id list)
{
	struct rule r = {.name = str_dup(word)};
	const struct row *row = find_row(word);
	str arg = {0};

	if (!row && (r.class = htab_get(&classes, word)))
		return r;
	if (!row && str_chr(word, ':') > 0 && implied[list]) {
		row = find_row(str_of(implied[list]));
		r.check = row->check;
		r.word = r.name;
		open_table(&r, word);
		return r;
	}
	if (!row) {
		r.broken = "unknown";
		return r;
	}
	r.check = row->check;
	if (row->argument == NONE)
		return r;
	str_word_braced(rest, ", \t\r\n", &arg);
	r.word = str_dup(arg);
	if (row->argument == TABLE)
		open_table(&r, arg);
	return r;
}

struct rules *rules_parse(const char *text, enum list_id list)
{
	struct rules *r = mem_zero(sizeof(*r));
	str rest = str_of(text), word;
	size_t cap = 0;

	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		if (r->n == cap) {
			cap = cap ? cap * 2 : 8;
			r->v = mem_realloc(r->v, cap * sizeof(*r->v));
		}
		r->v[r->n++] = parse_one(word, &rest, list);
	}
	return r;
}

const struct rules *rules_of_text(str text, enum list_id list)
{
	struct buf key = {0};
	struct rules *r;

	buf_printf(&key, "%d ", list);
	buf_str(&key, text);
	r = htab_get(&text_cache, buf_view(&key));
	if (!r) {
		char *copy = str_dup(text);
		r = rules_parse(copy, list);
		free(copy);
		htab_set(&text_cache, buf_view(&key), r);
	}
	buf_free(&key);
	return r;
}

/* A class may name classes: all names are known before any list is parsed. */
void rules_setup(void)
{
	str rest = str_of(conf.smtpd_restriction_classes), name;

	while (str_word(&rest, ", \t\r\n", &name))
		htab_set(&classes, name, mem_zero(sizeof(struct rules)));
	rest = str_of(conf.smtpd_restriction_classes);
	while (str_word(&rest, ", \t\r\n", &name)) {
		struct buf text = {0};
		struct rules *r = htab_get(&classes, name), *parsed;
		char *cname = str_dup(name);

		if (!conf_get(cname, &text))
			log_warn("restriction class `%s' is not defined", cname);
		parsed = rules_parse(buf_text(&text), LIST_RECIPIENT);
		*r = *parsed;
		free(parsed);
		free(cname);
		buf_free(&text);
	}
}

bool rules_close_relay(const struct rules *r)
{
	static const char *const closing[] = {"reject_unauth_destination", "defer_unauth_destination",
	    "reject", "defer", "defer_if_permit", NULL};

	for (size_t i = 0; i < r->n; i++) {
		bool warned = i > 0 && str_eq_nocase(str_of(r->v[i - 1].name), STR("warn_if_reject"));
		for (size_t k = 0; closing[k] && !warned; k++)
			if (str_eq_nocase(str_of(r->v[i].name), str_of(closing[k])))
				return true;
		if (str_eq_nocase(str_of(r->v[i].name), STR("permit")) && !warned)
			return false;
	}
	return false;
}
