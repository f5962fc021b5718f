/* cidr: values for networks, first match. Consecutive plain rules become an index (sorted arrays,
 * one for each prefix length that occurs), so that a table of thousands costs a handful of
 * comparisons. */
#include "base/mem.h"
#include "log/log.h"
#include "table/textfile.h"
#include "table/type.h"
#include <stdlib.h>

struct net {
	struct hostnet net;
	bool negate;
	char *value;  /* NULL: if */
	size_t after; /* if: the rule behind its endif */
	int line;
	size_t run; /* first of a run: index of the run + 1 */
};
struct slot {
	unsigned char addr[16];
	size_t rule;
};
struct prefix { /* all networks of a run that have the same family and length */
	int family, bits;
	size_t first, n; /* of the run's slots */
};
struct run {
	size_t end; /* the rule behind its last */
	struct slot *slots;
	struct prefix *prefixes;
	size_t nprefixes;
};
struct cidr {
	struct net *v;
	size_t n;
	struct run *runs;
	size_t nruns;
};
struct parse {
	struct cidr *c;
	const char *name;
	int line;
	size_t *ifs;
	size_t nifs;
	size_t *ends; /* rules that an endif stands before: no run crosses them */
	size_t nends;
};

#define RUN_MIN 8
#define WARN(ps, fmt, ...)                                                                         \
	log_warn("cidr map %s, line %d: " fmt ": skipping this rule", (ps)->name, (ps)->line,      \
	    ##__VA_ARGS__)

static void unload(void *impl)
{
	struct cidr *c = impl;

	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].value);
	for (size_t i = 0; i < c->nruns; i++) {
		free(c->runs[i].slots);
		free(c->runs[i].prefixes);
	}
	free(c->runs);
	free(c->v);
	free(c);
}

/* "[2001:db8::]/32" and "[2001:db8::/32]" without the brackets. */
static str unbracket(str s, struct buf *room)
{
	ptrdiff_t close;

	if (s.n == 0 || s.p[0] != '[' || (close = str_chr(s, ']')) < 0)
		return s;
	buf_str(room, str_mem(s.p + 1, (size_t)close - 1));
	buf_str(room, str_from(s, (size_t)close + 1));
	return buf_view(room);
}

static int parse_net(struct parse *ps, str s, struct hostnet *net)
{
	struct buf room = {0};
	struct err err = {0};
	str text = unbracket(s, &room);
	ptrdiff_t slash = str_chr(text, '/');
	uint64_t bits;
	int r = -1;

	if (s.n == 0)
		WARN(ps, "no address pattern");
	else if (slash >= 0 && !str_to_u64(str_from(text, (size_t)slash + 1), &bits))
		WARN(ps, "bad mask value in \"%.*s\"", STR_FMT(str_head(s, 100)));
	else if (!hostaddr_is_numeric(slash < 0 ? text : str_head(text, (size_t)slash)))
		WARN(ps, "bad address pattern: \"%.*s\"", STR_FMT(str_head(s, 100)));
	else if (slash >= 0 && bits > (str_chr(text, ':') < 0 ? 32 : 128))
		WARN(ps, "bad mask length in \"%.*s\"", STR_FMT(str_head(s, 100)));
	else if (hostnet_parse(net, text, &err) != 0)
		WARN(ps, "%s", err.text);
	else
		r = 0;
	buf_free(&room);
	return r;
}

static bool take_not(str *s)
{
	bool negate = false;

	while (s->n && s->p[0] == '!') {
		negate = !negate;
		*s = str_trim(str_from(*s, 1));
	}
	return negate;
}

static void add(struct parse *ps, const struct net *rule)
{
	struct cidr *c = ps->c;

	if ((c->n & (c->n - 1)) == 0)
		c->v = mem_realloc(c->v, (c->n ? c->n * 2 : 1) * sizeof(*c->v));
	c->v[c->n++] = *rule;
}

static void push(size_t **v, size_t *n, size_t x)
{
	*v = mem_realloc(*v, (*n + 1) * sizeof(**v));
	(*v)[(*n)++] = x;
}

static void parse_if(struct parse *ps, str line)
{
	struct net rule = {.line = ps->line};

	rule.negate = take_not(&line);
	if (parse_net(ps, line, &rule.net) != 0)
		return;
	add(ps, &rule);
	push(&ps->ifs, &ps->nifs, ps->c->n - 1);
}

static void parse_endif(struct parse *ps, str line)
{
	if (line.n) {
		WARN(ps, "garbage after ENDIF");
		return;
	}
	if (ps->nifs == 0) {
		WARN(ps, "ENDIF without IF");
		return;
	}
	ps->c->v[ps->ifs[--ps->nifs]].after = ps->c->n;
	push(&ps->ends, &ps->nends, ps->c->n);
}

static void parse_rule(struct parse *ps, str line)
{
	struct net rule = {.line = ps->line};
	str word, value;

	rule.negate = take_not(&line);
	value = line;
	if (!str_word(&value, " \t\r\n", &word))
		word = STR("");
	value = str_trim(value);
	if (parse_net(ps, word, &rule.net) != 0)
		return;
	if (value.n == 0) {
		WARN(ps, "no lookup result");
		return;
	}
	rule.value = str_dup(value);
	add(ps, &rule);
}

static void parse_line(struct parse *ps, str line)
{
	str rest = line, word;

	if (!str_word(&rest, " \t\r\n!", &word))
		word = STR("");
	if (str_eq_nocase(word, STR("if")))
		parse_if(ps, str_trim(str_from(line, 2)));
	else if (str_eq_nocase(word, STR("endif")))
		parse_endif(ps, str_trim(str_from(line, 5)));
	else
		parse_rule(ps, line);
}

static const struct cidr *sorting;

static int slot_order(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	const struct hostnet *nx = &sorting->v[x->rule].net, *ny = &sorting->v[y->rule].net;
	int r;

	if (nx->family != ny->family)
		return nx->family < ny->family ? -1 : 1;
	if (nx->bits != ny->bits)
		return nx->bits < ny->bits ? -1 : 1;
	r = memcmp(x->addr, y->addr, sizeof(x->addr));
	return r ? r : x->rule < y->rule ? -1 : 1;
}

static void make_run(struct cidr *c, size_t from, size_t to)
{
	struct run run = {.end = to};
	size_t n = to - from, kept = 0;

	run.slots = mem_zero(n * sizeof(*run.slots));
	for (size_t i = 0; i < n; i++) {
		const struct hostnet *net = &c->v[from + i].net;

		memcpy(run.slots[i].addr, net->addr, net->family == AF_INET ? 4 : 16);
		run.slots[i].rule = from + i;
	}
	sorting = c;
	qsort(run.slots, n, sizeof(*run.slots), slot_order);
	for (size_t i = 0; i < n; i++) {
		const struct hostnet *net = &c->v[run.slots[i].rule].net;
		struct prefix *p = run.nprefixes ? &run.prefixes[run.nprefixes - 1] : NULL;

		if (!p || p->family != net->family || p->bits != net->bits) {
			run.prefixes =
			    mem_realloc(run.prefixes, (run.nprefixes + 1) * sizeof(*run.prefixes));
			p = &run.prefixes[run.nprefixes++];
			*p = (struct prefix){net->family, net->bits, kept, 0};
		}
		/* Of equal networks the first rule counts. */
		if (p->n && memcmp(run.slots[kept - 1].addr, run.slots[i].addr, 16) == 0)
			continue;
		run.slots[kept++] = run.slots[i];
		p->n++;
	}
	c->runs = mem_realloc(c->runs, (c->nruns + 1) * sizeof(*c->runs));
	c->runs[c->nruns++] = run;
	c->v[from].run = c->nruns;
}

static void make_runs(struct parse *ps)
{
	struct cidr *c = ps->c;
	size_t end = 0, from = 0;

	for (size_t i = 0; i <= c->n; i++) {
		bool plain = i < c->n && c->v[i].value && !c->v[i].negate;

		while (end < ps->nends && ps->ends[end] < i)
			end++;
		if (plain && !(end < ps->nends && ps->ends[end] == i))
			continue;
		if (i - from >= RUN_MIN)
			make_run(c, from, i);
		from = plain ? i : i + 1;
	}
}

static void *load(struct table *t, struct err *err)
{
	struct parse ps = {.name = t->name};
	struct buf lines = {0};
	struct textfile tf;
	str line;
	int r;

	if (t->name[0] != '{') {
		table_watch(t, t->name);
		r = textfile_open(&tf, t->name, "", err);
	} else if ((r = textfile_inline(str_of(t->name), &lines, "cidr", err)) == 0) {
		r = textfile_memory(&tf, buf_view(&lines), t->name, err);
	}
	if (r != 0) {
		buf_free(&lines);
		return NULL;
	}
	ps.c = mem_zero(sizeof(*ps.c));
	while ((r = textfile_next(&tf, &line, err)) == 1) {
		ps.line = tf.line;
		parse_line(&ps, line);
	}
	while (ps.nifs) {
		struct net *open_if = &ps.c->v[ps.ifs[--ps.nifs]];

		log_warn("cidr map %s, line %d: IF has no matching ENDIF", ps.name, open_if->line);
		open_if->after = ps.c->n;
	}
	make_runs(&ps);
	free(ps.ifs);
	free(ps.ends);
	textfile_close(&tf);
	buf_free(&lines);
	if (r == 0)
		return ps.c;
	unload(ps.c);
	if (err && err->code == 0)
		err->code = 1; /* the file is wrong, not the spec */
	return NULL;
}

/* The address with all bits beyond bits cleared. */
static void mask(const struct hostaddr *a, int bits, unsigned char out[16])
{
	size_t n = a->sa.sa_family == AF_INET ? 4 : 16;

	memset(out, 0, 16);
	memcpy(out, n == 4 ? (const void *)&a->in.sin_addr : &a->in6.sin6_addr, n);
	for (size_t i = 0; i < n; i++) {
		int left = bits - (int)i * 8;

		if (left <= 0)
			out[i] = 0;
		else if (left < 8)
			out[i] &= (unsigned char)(0xff << (8 - left));
	}
}

static int compare_addr(const void *key, const void *slot)
{
	return memcmp(key, ((const struct slot *)slot)->addr, 16);
}

/* The first rule of the run that has the address, or SIZE_MAX. */
static size_t search_run(const struct run *run, const struct hostaddr *a)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < run->nprefixes; i++) {
		const struct prefix *p = &run->prefixes[i];
		const struct slot *hit;
		unsigned char addr[16];

		if (p->family != a->sa.sa_family)
			continue;
		mask(a, p->bits, addr);
		hit = bsearch(addr, run->slots + p->first, p->n, sizeof(*run->slots), compare_addr);
		if (hit && hit->rule < best)
			best = hit->rule;
	}
	return best;
}

/* A negated rule speaks of its own address family only. */
static bool applies(const struct net *rule, const struct hostaddr *a)
{
	return rule->net.family == a->sa.sa_family && hostnet_has(&rule->net, a) != rule->negate;
}

static void unmap(struct hostaddr *a)
{
	struct in_addr v4;

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	memcpy(&v4, &a->in6.sin6_addr.s6_addr[12], 4);
	*a = (struct hostaddr){.in = {.sin_family = AF_INET, .sin_addr = v4}};
	a->len = sizeof(a->in);
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	const struct cidr *c = t->impl;
	struct hostaddr a;
	size_t i = 0;

	(void)err;
	if (hostaddr_parse(&a, key, 0, NULL) != 0)
		return TABLE_NONE;
	unmap(&a);
	while (i < c->n) {
		const struct net *rule = &c->v[i];

		if (rule->run) {
			const struct run *run = &c->runs[rule->run - 1];
			size_t hit = search_run(run, &a);

			if (hit != SIZE_MAX) {
				buf_cstr(value, c->v[hit].value);
				return TABLE_FOUND;
			}
			i = run->end;
		} else if (!applies(rule, &a)) {
			i = rule->value ? i + 1 : rule->after;
		} else if (rule->value) {
			buf_cstr(value, rule->value);
			return TABLE_FOUND;
		} else {
			i++;
		}
	}
	return TABLE_NONE;
}

const struct table_type table_type_cidr = {
    .name = "cidr",
    .traits = TRAIT_ADDRESS,
    .load = load,
    .unload = unload,
    .get = get,
};
