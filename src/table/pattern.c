#include "table/pattern.h"
#include "base/mem.h"
#include "log/log.h"
#include "table/textfile.h"
#include <ctype.h>
#include <stdlib.h>

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

/* A piece of a result: text, and then the group behind it (-1: none). */
struct piece {
	str text;
	int group;
};
struct rule {
	enum rule_kind kind;
	bool negate;
	int line;
	void *compiled;
	unsigned groups;
	struct piece *pieces;
	size_t npieces;
	char *text;   /* what the pieces point into */
	size_t after; /* RULE_IF: the rule behind its endif */
};
struct pattern_table {
	const struct pattern_engine *e;
	struct rule *v;
	struct bigrams *need; /* of each rule; apart, to be looked through quickly */
	size_t n;
	struct pattern_match match;
	struct buf subject; /* terminated */
};

/* While a file is read. */
struct parse {
	struct pattern_table *p;
	const char *name;
	int line;
	unsigned flags; /* of the table */
	size_t *ifs;	/* open RULE_IFs */
	size_t nifs;
};

#define WARN(ps, fmt, ...)                                                                         \
	log_warn(                                                                                  \
	    "%s map %s, line %d: " fmt, (ps)->p->e->type, (ps)->name, (ps)->line, ##__VA_ARGS__)

static void free_rule(const struct pattern_engine *e, struct rule *r)
{
	if (r->compiled)
		e->free(r->compiled);
	free(r->pieces);
	free(r->text);
}

void pattern_unload(void *impl)
{
	struct pattern_table *p = impl;

	for (size_t i = 0; i < p->n; i++)
		free_rule(p->e, &p->v[i]);
	free(p->v);
	free(p->need);
	buf_free(&p->subject);
	free(p);
}

static void add_piece(struct rule *r, str text, int group)
{
	if (text.n == 0 && group < 0)
		return;
	r->pieces = mem_realloc(r->pieces, (r->npieces + 1) * sizeof(*r->pieces));
	r->pieces[r->npieces++] = (struct piece){text, group};
}

/* The name of a macro at the start of *s (behind its $): $1, ${1}, $(1). -1 when it has bad syntax.
 */
static int macro_name(str whole, str *s, str *name)
{
	size_t n = 0;

	if (s->n && (s->p[0] == '{' || s->p[0] == '(')) {
		ptrdiff_t end = str_chr(*s, s->p[0] == '{' ? '}' : ')');

		if (end < 0) {
			log_warn("truncated macro reference: \"%.*s\"", STR_FMT(whole));
			return -1;
		}
		*name = str_head(str_from(*s, 1), (size_t)end - 1);
		*s = str_from(*s, (size_t)end + 1);
	} else {
		while (n < s->n && (isalnum((unsigned char)s->p[n]) || s->p[n] == '_'))
			n++;
		*name = str_head(*s, n);
		*s = str_from(*s, n);
	}
	if (name->n)
		return 0;
	log_warn("empty macro name: \"%.*s\"", STR_FMT(whole));
	return -1;
}

/* Compiles the result into pieces. -1: warned, and the rule is not good. */
static int parse_result(struct parse *ps, struct rule *r, str text, unsigned *highest)
{
	str rest, name;
	uint64_t group;

	r->text = str_dup(text);
	text = rest = str_of(r->text);
	while (rest.n) {
		ptrdiff_t dollar = str_chr(rest, '$');

		if (dollar < 0) {
			add_piece(r, rest, -1);
			break;
		}
		add_piece(r, str_head(rest, (size_t)dollar), -1);
		rest = str_from(rest, (size_t)dollar + 1);
		if (rest.n && rest.p[0] == '$') {
			add_piece(r, str_head(rest, 1), -1);
			rest = str_from(rest, 1);
			continue;
		}
		if (macro_name(text, &rest, &name) != 0) {
			WARN(ps, "bad replacement syntax: skipping this rule");
			return -1;
		}
		if (!str_to_u64(name, &group)) {
			WARN(ps, "non-numeric replacement index \"%.*s\"", STR_FMT(name));
			WARN(ps, "bad replacement syntax: skipping this rule");
			return -1;
		}
		if (r->negate) {
			WARN(ps,
			    "$number found in negative match replacement text: skipping this rule");
			return -1;
		}
		if (ps->flags & TABLE_NO_REGSUB) {
			WARN(ps,
			    "regular expression substitution is not allowed: skipping this rule");
			return -1;
		}
		if (group < 1 || group >= PATTERN_GROUPS) {
			WARN(ps, "out of range replacement index \"%.*s\": skipping this rule",
			    STR_FMT(name));
			return -1;
		}
		add_piece(r, STR(""), (int)group);
		if (group > *highest)
			*highest = (unsigned)group;
	}
	return 0;
}

/* Takes "!/pattern/flags" off *s. -1: warned. */
static int take_pattern(struct parse *ps, str *s, bool *negate, str *pattern, str *flags)
{
	const char *skip = ps->p->e->skipping;
	size_t n = 1;
	char delim;

	*negate = false;
	while (s->n && s->p[0] == '!') {
		*negate = !*negate;
		*s = str_trim(str_from(*s, 1));
	}
	if (s->n == 0) {
		WARN(ps, "no regexp: skipping this rule");
		return -1;
	}
	delim = s->p[0];
	while (n < s->n && s->p[n] != delim)
		n += s->p[n] == '\\' && n + 1 < s->n ? 2 : 1;
	if (n >= s->n) {
		WARN(ps, "no closing regexp delimiter \"%c\": %s", delim, skip);
		return -1;
	}
	*pattern = str_mem(s->p + 1, n - 1);
	*s = str_from(*s, n + 1);
	n = 0;
	while (n < s->n && !isspace((unsigned char)s->p[n]))
		n++;
	*flags = str_head(*s, n);
	*s = str_trim(str_from(*s, n));
	return 0;
}

static void add_rule(struct parse *ps, const struct rule *r, str pattern, str flags)
{
	struct pattern_table *p = ps->p;

	if ((p->n & (p->n - 1)) == 0) {
		size_t room = p->n ? p->n * 2 : 1;

		p->v = mem_realloc(p->v, room * sizeof(*p->v));
		p->need = mem_realloc(p->need, room * sizeof(*p->need));
	}
	p->v[p->n] = *r;
	p->need[p->n] = (struct bigrams){{0}};
	if (p->e->required && r->compiled)
		p->e->required(pattern, flags, &p->need[p->n]);
	p->n++;
}

static int compile(struct parse *ps, struct rule *r, str pattern, str flags, unsigned highest)
{
	struct err err = {0};

	r->compiled = ps->p->e->compile(pattern, flags, highest > 0, &r->groups, &err);
	if (!r->compiled) {
		WARN(ps, "%s", err.text);
		return -1;
	}
	if (highest > r->groups) {
		WARN(ps, "out of range replacement index \"%u\": skipping this rule", highest);
		return -1;
	}
	return 0;
}

static void parse_rule(struct parse *ps, str line)
{
	struct rule r = {.kind = RULE_MATCH, .line = ps->line};
	str pattern, flags;
	unsigned highest = 0;

	if (take_pattern(ps, &line, &r.negate, &pattern, &flags) != 0)
		return;
	if (line.n == 0)
		WARN(ps, "no replacement text: using empty string");
	if (parse_result(ps, &r, line, &highest) == 0 &&
	    compile(ps, &r, pattern, flags, highest) == 0)
		add_rule(ps, &r, pattern, flags);
	else
		free_rule(ps->p->e, &r);
}

static void parse_if(struct parse *ps, str line)
{
	struct rule r = {.kind = RULE_IF, .line = ps->line};
	str pattern, flags;

	if (take_pattern(ps, &line, &r.negate, &pattern, &flags) != 0)
		return;
	if (line.n) {
		WARN(ps, "ignoring extra text after IF statement: \"%.*s\"",
		    STR_FMT(str_head(line, 100)));
		WARN(ps, "do not prepend whitespace to statements between IF and ENDIF");
	}
	if (compile(ps, &r, pattern, flags, 0) != 0) {
		free_rule(ps->p->e, &r);
		return;
	}
	add_rule(ps, &r, pattern, flags);
	ps->ifs = mem_realloc(ps->ifs, (ps->nifs + 1) * sizeof(*ps->ifs));
	ps->ifs[ps->nifs++] = ps->p->n - 1;
}

static void parse_endif(struct parse *ps, str line)
{
	struct rule r = {.kind = RULE_ENDIF, .line = ps->line};

	if (ps->nifs == 0) {
		WARN(ps, "ignoring ENDIF without matching IF");
		return;
	}
	if (line.n)
		WARN(ps, "ignoring extra text after ENDIF");
	add_rule(ps, &r, STR(""), STR(""));
	ps->p->v[ps->ifs[--ps->nifs]].after = ps->p->n;
}

/* "if" and "endif" in any case, before a space, a delimiter or the end. */
static bool is_word(str line, const char *word)
{
	size_t n = strlen(word);

	return line.n >= n && str_eq_nocase(str_head(line, n), str_of(word)) &&
	       (line.n == n || !isalnum((unsigned char)line.p[n]));
}

static void parse_line(struct parse *ps, str line)
{
	if (!isalnum((unsigned char)line.p[0]))
		parse_rule(ps, line);
	else if (is_word(line, "if"))
		parse_if(ps, str_trim(str_from(line, 2)));
	else if (is_word(line, "endif"))
		parse_endif(ps, str_trim(str_from(line, 5)));
	else
		WARN(ps, "ignoring unrecognized request");
}

static int open_source(
    struct table *t, const char *type, struct textfile *tf, struct buf *lines, struct err *err)
{
	if (t->name[0] == '{') {
		if (textfile_inline(str_of(t->name), lines, type, err) != 0)
			return -1;
		return textfile_memory(tf, buf_view(lines), t->name, err);
	}
	table_watch(t, t->name);
	return textfile_open(tf, t->name, "", err);
}

void *pattern_load(struct table *t, const struct pattern_engine *e, struct err *err)
{
	struct parse ps = {.name = t->name, .flags = t->flags};
	struct buf lines = {0};
	struct textfile tf;
	str line;
	int r;

	if (open_source(t, e->type, &tf, &lines, err) != 0) {
		buf_free(&lines);
		return NULL;
	}
	ps.p = mem_zero(sizeof(*ps.p));
	ps.p->e = e;
	while ((r = textfile_next(&tf, &line, err)) == 1) {
		ps.line = tf.line;
		parse_line(&ps, line);
	}
	while (ps.nifs) {
		struct rule *open_if = &ps.p->v[ps.ifs[--ps.nifs]];

		ps.line = open_if->line;
		WARN(&ps, "IF has no matching ENDIF");
		open_if->after = ps.p->n;
	}
	free(ps.ifs);
	textfile_close(&tf);
	buf_free(&lines);
	if (r == 0)
		return ps.p;
	pattern_unload(ps.p);
	if (err && err->code == 0)
		err->code = 1; /* the file is wrong, not the spec */
	return NULL;
}

static void substitute(
    const struct rule *r, const struct pattern_match *m, str subject, struct buf *value)
{
	for (size_t i = 0; i < r->npieces; i++) {
		size_t g = 2 * (size_t)r->pieces[i].group;

		buf_str(value, r->pieces[i].text);
		if (r->pieces[i].group > 0 && (size_t)r->pieces[i].group < m->n &&
		    m->at[g] <= m->at[g + 1] && m->at[g + 1] <= subject.n)
			buf_add(value, subject.p + m->at[g], m->at[g + 1] - m->at[g]);
	}
}

enum table_result pattern_get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct pattern_table *p = t->impl;
	struct bigrams have;
	struct err e = {0};

	if (p->e->terminate) {
		buf_clear(&p->subject);
		buf_str(&p->subject, key);
		key = str_mem(buf_text(&p->subject), key.n);
	}
	bigrams_of_subject(&have, key);
	for (size_t i = 0; i < p->n; i++) {
		const struct rule *r = &p->v[i];
		int matched = 0;

		if (r->kind == RULE_ENDIF)
			continue;
		p->match.n = 0;
		if (!bigrams_missing(&p->need[i], &have))
			matched = p->e->exec(r->compiled, key, &p->match, &e);
		if (matched < 0) {
			err_set(err, "line %d: %s", r->line, e.text);
			return TABLE_ERROR;
		}
		if ((matched > 0) == r->negate) {
			if (r->kind == RULE_IF)
				i = r->after - 1;
			continue;
		}
		if (r->kind == RULE_IF)
			continue;
		substitute(r, &p->match, key, value);
		return TABLE_FOUND;
	}
	return TABLE_NONE;
}
