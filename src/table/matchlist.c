#include "table/matchlist.h"
#include "base/mem.h"
#include "log/log.h"
#include "param/param.h"
#include "table/textfile.h"
#include "table/type.h"
#include <errno.h>
#include <stdlib.h>

#define SEPARATORS ", \t\r\n"
#define DEPTH_MAX  16 /* files that name files */

enum item_kind { ITEM_NAME, ITEM_NET, ITEM_TABLE, ITEM_BAD };
struct item {
	enum item_kind kind;
	bool negate;
	char *text; /* lower case; ITEM_BAD: what is wrong */
	size_t n;
	struct hostnet net;
	struct table *table;
};
struct matchlist {
	char *param;
	enum matchlist_kind kind;
	bool parents; /* parent_domain_matches_subdomains */
	struct item *v;
	size_t n;
};

static void add(struct matchlist *m, const struct item *item)
{
	if ((m->n & (m->n - 1)) == 0)
		m->v = mem_realloc(m->v, (m->n ? m->n * 2 : 1) * sizeof(*m->v));
	m->v[m->n++] = *item;
}

static void add_bad(struct matchlist *m, const char *why)
{
	struct item item = {.kind = ITEM_BAD, .text = mem_strdup(why)};

	log_warn("%s: %s", m->param, why);
	add(m, &item);
}

static void add_list(struct matchlist *m, str list, bool negate, int depth);

static void add_file(struct matchlist *m, str path, bool negate, int depth)
{
	char *name = str_dup(path);
	struct err err = {0};
	struct textfile tf;
	str line;
	int r;

	if (depth >= DEPTH_MAX) {
		err_set(&err, "%s: files that name files, without end", name);
		add_bad(m, err.text);
	} else if (textfile_open(&tf, name, "", &err) != 0) {
		add_bad(m, err.text);
	} else {
		while ((r = textfile_next(&tf, &line, &err)) == 1)
			add_list(m, line, negate, depth + 1);
		if (r < 0)
			add_bad(m, err.text);
		textfile_close(&tf);
	}
	free(name);
}

/* An address or network: [v6], [v6]/n, [v4], 1.2.3.4, 10.0.0.0/8; and nothing that begins like one
 * is anything else. */
static bool looks_like_net(str s)
{
	if (s.p[0] == '[')
		return true;
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.' && s.p[i] != '/')
			return false;
	return str_chr(s, '.') >= 0;
}

static int parse_net(struct item *item, str s, struct err *err)
{
	struct buf room = {0};
	ptrdiff_t close = str_chr(s, ']');
	int r;

	if (s.p[0] == '[') {
		if (close < 0)
			return err_set(err, "missing ']' character after \"%.*s\"", STR_FMT(s));
		buf_str(&room, str_mem(s.p + 1, (size_t)close - 1));
		buf_str(&room, str_from(s, (size_t)close + 1));
		s = buf_view(&room);
	}
	r = hostnet_parse(&item->net, s, err);
	buf_free(&room);
	return r;
}

static void add_word(struct matchlist *m, str word, bool negate, int depth)
{
	struct item item = {.kind = ITEM_NAME};
	struct buf folded = {0};
	struct err err = {0};

	while (word.n && word.p[0] == '!') {
		negate = !negate;
		word = str_from(word, 1);
	}
	item.negate = negate;
	if (word.n == 0) {
		add_bad(m, "no pattern after '!'");
		return;
	}
	if (word.p[0] == '/') {
		add_file(m, word, negate, depth);
		return;
	}
	if (m->kind == MATCH_HOST && looks_like_net(word)) {
		item.kind = ITEM_NET;
		if (parse_net(&item, word, &err) != 0) {
			add_bad(m, err.text);
			return;
		}
	} else if (str_chr(word, ':') > 0 && word.p[0] != '[') {
		item.kind = ITEM_TABLE;
		item.table =
		    table_open(word, TABLE_FOLD | (conf.smtputf8_enable ? TABLE_UTF8 : 0), &err);
		if (!item.table) {
			add_bad(m, err.text);
			return;
		}
	} else {
		table_fold(&folded, word, true);
		item.n = folded.n;
		item.text = str_dup(buf_view(&folded));
		buf_free(&folded);
	}
	add(m, &item);
}

static void add_list(struct matchlist *m, str list, bool negate, int depth)
{
	str word;

	while (str_word_braced(&list, SEPARATORS, &word))
		add_word(m, word, negate, depth);
}

bool matchlist_parent_matches(const char *param)
{
	str rest = str_of(conf.parent_domain_matches_subdomains), word;

	while (str_word(&rest, SEPARATORS, &word))
		if (str_eq_nocase(word, str_of(param)))
			return true;
	return false;
}

struct matchlist *matchlist_open(const char *param, const char *list, enum matchlist_kind kind)
{
	struct matchlist *m = mem_zero(sizeof(*m));

	m->param = mem_strdup(param);
	m->kind = kind;
	m->parents = kind != MATCH_STRING && matchlist_parent_matches(param);
	add_list(m, str_of(list), false, 0);
	return m;
}

void matchlist_close(struct matchlist *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].text);
	free(m->v);
	free(m->param);
	free(m);
}

const char *matchlist_param(const struct matchlist *m)
{
	return m->param;
}

bool matchlist_empty(const struct matchlist *m)
{
	return m->n == 0;
}

/* A table is asked for the name and its parents, if it can have such keys. */
static enum table_result table_has(
    const struct matchlist *m, struct table *t, str name, bool parents, struct err *err)
{
	bool partial = parents && m->kind != MATCH_STRING && table_partial_keys(t);
	struct buf value = {0};
	enum table_result r;
	str key = name;
	ptrdiff_t dot;

	r = table_get(t, key, &value, err);
	while (r == TABLE_NONE && partial && (dot = str_chr(str_from(key, 1), '.')) >= 0) {
		key = str_from(key, (size_t)dot + 1 + (m->parents ? 1 : 0));
		if (key.n < 2)
			break;
		r = table_get(t, key, &value, err);
	}
	if (r == TABLE_ERROR)
		err_prefix(err, "%s: %s: table lookup problem", m->param, table_spec(t));
	buf_free(&value);
	return r;
}

/* "name"; and for what is below it "domain" where parents match, ".domain" elsewhere. */
static bool name_matches(const struct matchlist *m, const struct item *i, str name)
{
	str pattern = str_mem(i->text, i->n);

	if (str_eq(name, pattern))
		return true;
	if (m->kind == MATCH_STRING || pattern.n >= name.n || !str_ends(name, pattern))
		return false;
	return m->parents ? name.p[name.n - pattern.n - 1] == '.' : pattern.p[0] == '.';
}

static enum table_result bad_item(const struct matchlist *m, const struct item *i, struct err *err)
{
	err_set(err, "%s: %s", m->param, i->text);
	return TABLE_ERROR;
}

static enum table_result decide(const struct item *i)
{
	return i->negate ? TABLE_NONE : TABLE_FOUND;
}

enum table_result matchlist_name(struct matchlist *m, str name, struct err *err)
{
	enum table_result r = TABLE_NONE;
	struct buf folded = {0};
	size_t n;

	if (m->n == 0 || name.n == 0)
		return TABLE_NONE;
	table_fold(&folded, name, true);
	name = buf_view(&folded);
	for (n = 0; n < m->n; n++) {
		const struct item *i = &m->v[n];

		if (i->kind == ITEM_BAD)
			r = bad_item(m, i, err);
		else if (i->kind == ITEM_TABLE)
			r = table_has(m, i->table, name, true, err);
		else if (i->kind == ITEM_NAME && name_matches(m, i, name))
			r = TABLE_FOUND;
		if (r != TABLE_NONE)
			break;
	}
	if (r == TABLE_FOUND)
		r = decide(&m->v[n]);
	buf_free(&folded);
	return r;
}

/* Name and address are matched against each item in turn. */
static enum table_result host_item(const struct matchlist *m, const struct item *i, str name,
    str addr, const struct hostaddr *a, struct err *err)
{
	enum table_result r;

	switch (i->kind) {
	case ITEM_BAD:
		return bad_item(m, i, err);
	case ITEM_NET:
		return a && hostnet_has(&i->net, a) ? TABLE_FOUND : TABLE_NONE;
	case ITEM_NAME:
		return (name.n && name_matches(m, i, name)) || str_eq(addr, str_mem(i->text, i->n))
			   ? TABLE_FOUND
			   : TABLE_NONE;
	default:
		r = name.n && !table_is_address(i->table) ? table_has(m, i->table, name, true, err)
							  : TABLE_NONE;
		return r == TABLE_NONE && addr.n ? table_has(m, i->table, addr, false, err) : r;
	}
}

enum table_result matchlist_host(struct matchlist *m, str name, str addr, struct err *err)
{
	enum table_result r = TABLE_NONE;
	struct buf folded = {0};
	struct hostaddr a;
	bool numeric = hostaddr_parse(&a, addr, 0, NULL) == 0;
	size_t n;

	if (m->n == 0)
		return TABLE_NONE;
	table_fold(&folded, name, true);
	name = buf_view(&folded);
	for (n = 0; n < m->n && r == TABLE_NONE; n++)
		r = host_item(m, &m->v[n], name, addr, numeric ? &a : NULL, err);
	if (r == TABLE_FOUND)
		r = decide(&m->v[n - 1]);
	buf_free(&folded);
	return r;
}
