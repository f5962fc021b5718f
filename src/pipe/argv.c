#include "pipe/argv.h"

#include "base/mem.h"
#include "mail/addr.h"
#include "mailbox/copy.h"
#include "param/param.h"

#include <stdlib.h>

struct expansion { /* what macros see */
	struct delivery *d;
	const struct delivery_rcpt *rcpt;
	unsigned flags;
	const char *null_sender;
};

struct macro {
	const char *name;
	bool per_rcpt;
	void (*put)(struct buf *out, const struct expansion *x);
	const char *attr; /* instead of put */
};

struct argv_part {
	str text; /* when there is no macro */
	const struct macro *macro;
};

/* --- values */

static void put_folded(struct buf *out, str text, bool fold)
{
	if (fold)
		addr_fold(out, text, conf.smtputf8_enable);
	else
		buf_str(out, text);
}

static void put_address(struct buf *out, str address, bool quote)
{
	if (quote && address.n > 0)
		addr_quote(out, address);
	else
		buf_str(out, address);
}

static void put_recipient(struct buf *out, const struct expansion *x, str address)
{
	struct buf folded = {0};
	str local, domain;

	addr_split(address, &local, &domain);
	put_folded(&folded, local, x->flags & ARGV_FOLD_LOCAL);
	if (local.n < address.n)
		buf_char(&folded, '@');
	put_folded(&folded, domain, x->flags & ARGV_FOLD_DOMAIN);
	put_address(out, buf_view(&folded), x->flags & ARGV_QUOTE);
	buf_free(&folded);
}

static void recipient(struct buf *out, const struct expansion *x)
{
	put_recipient(out, x, x->rcpt->address);
}

static void original_recipient(struct buf *out, const struct expansion *x)
{
	put_recipient(out, x, copy_original(x->rcpt));
}

/* Index of the delimiter in the local part, or its length. */
static size_t user_length(str local)
{
	ptrdiff_t at = addr_extension(local, conf.recipient_delimiter, conf.owner_request_special,
	    str_of(conf.double_bounce_sender));

	return at < 0 ? local.n : (size_t)at;
}

static void user(struct buf *out, const struct expansion *x)
{
	str local = addr_local(x->rcpt->address);

	put_folded(out, str_head(local, user_length(local)), x->flags & ARGV_FOLD_LOCAL);
}

static void extension(struct buf *out, const struct expansion *x)
{
	str local = addr_local(x->rcpt->address);

	put_folded(out, str_from(local, user_length(local) + 1), x->flags & ARGV_FOLD_LOCAL);
}

static void mailbox(struct buf *out, const struct expansion *x)
{
	put_folded(out, addr_local(x->rcpt->address), x->flags & ARGV_FOLD_LOCAL);
}

static void domain(struct buf *out, const struct expansion *x)
{
	put_folded(out, addr_domain(x->rcpt->address), x->flags & ARGV_FOLD_DOMAIN);
}

static void nexthop(struct buf *out, const struct expansion *x)
{
	put_folded(out, x->d->m.nexthop, x->flags & ARGV_FOLD_DOMAIN);
}

static void sender(struct buf *out, const struct expansion *x)
{
	str from = x->d->m.sender;

	put_address(out, from.n > 0 ? from : str_of(x->null_sender), x->flags & ARGV_QUOTE);
}

static void envid(struct buf *out, const struct expansion *x)
{
	buf_str(out, x->d->m.envid);
}

static void queue_id(struct buf *out, const struct expansion *x)
{
	buf_str(out, x->d->m.queue_id);
}

static void size(struct buf *out, const struct expansion *x)
{
	buf_printf(out, "%llu", (unsigned long long)x->d->m.size);
}

static const struct macro macros[] = {
#define MACRO(name, value)	{name, false, value, NULL},
#define RCPT_MACRO(name, value) {name, true, value, NULL},
#define ATTR_MACRO(name, attr)	{name, false, NULL, attr},
#include "pipe/macro.tbl"
};

/* --- reading the template */

static const struct macro *find(str name)
{
	for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++)
		if (str_eq(name, str_of(macros[i].name)))
			return &macros[i];
	return NULL;
}

static void add(struct argv_word *w, str text, const struct macro *macro)
{
	if (!macro && text.n == 0)
		return;
	w->parts = mem_realloc(w->parts, (w->n + 1) * sizeof *w->parts);
	w->parts[w->n++] = (struct argv_part){text, macro};
	w->per_rcpt |= macro && macro->per_rcpt;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The name behind a '$', taken off *rest. */
static int take_name(str *rest, str *name, struct err *err)
{
	char close = rest->n == 0 ? 0 : rest->p[0] == '{' ? '}' : rest->p[0] == '(' ? ')' : 0;
	size_t n = 0;

	if (close) {
		ptrdiff_t end = str_chr(*rest, close);

		if (end < 0)
			return err_set(err, "truncated macro reference: \"$%.*s\"", STR_FMT(*rest));
		*name = str_mem(rest->p + 1, (size_t)end - 1);
		*rest = str_from(*rest, (size_t)end + 1);
		return 0;
	}
	while (n < rest->n && name_char(rest->p[n]))
		n++;
	*name = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return 0;
}

static int parse_word(struct argv_word *w, str rest, struct err *err)
{
	ptrdiff_t at;

	while ((at = str_chr(rest, '$')) >= 0) {
		const struct macro *macro;
		str name;

		add(w, str_head(rest, (size_t)at), NULL);
		rest = str_from(rest, (size_t)at + 1);
		if (str_starts(rest, STR("$"))) {
			add(w, str_head(rest, 1), NULL);
			rest = str_from(rest, 1);
			continue;
		}
		if (take_name(&rest, &name, err) < 0)
			return -1;
		macro = find(name);
		if (!macro)
			return err_set(err, "unknown macro name: \"%.*s\"", STR_FMT(name));
		add(w, name, macro);
	}
	add(w, rest, NULL);
	return 0;
}

void argv_free(struct argv_template *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].parts);
	free(t->v);
	*t = (struct argv_template){0};
}

int argv_parse(struct argv_template *t, const char *const *words, struct err *err)
{
	*t = (struct argv_template){0};
	for (; *words; words++) {
		struct argv_word w = {0};

		if (parse_word(&w, str_of(*words), err) < 0) {
			free(w.parts);
			argv_free(t);
			return err_prefix(err, "argument \"%s\"", *words);
		}
		t->v = mem_realloc(t->v, (t->n + 1) * sizeof *t->v);
		t->v[t->n++] = w;
	}
	return 0;
}

/* --- using it */

static const char *expand_word(const struct argv_word *w, const struct expansion *x)
{
	struct buf out = {0};
	const char *text;

	for (size_t i = 0; i < w->n; i++) {
		const struct argv_part *p = &w->parts[i];

		if (!p->macro)
			buf_str(&out, p->text);
		else if (p->macro->attr)
			buf_str(&out, delivery_attr(x->d, p->macro->attr));
		else
			p->macro->put(&out, x);
	}
	text = arena_cstr(&x->d->arena, buf_view(&out));
	buf_free(&out);
	return text;
}

const char *const *argv_expand(
    const struct argv_template *t, struct delivery *d, unsigned flags, const char *null_sender)
{
	struct expansion x = {.d = d, .flags = flags, .null_sender = null_sender};
	size_t count = 1, n = 0;
	const char **argv;

	for (size_t i = 0; i < t->n; i++)
		count += t->v[i].per_rcpt ? d->nrcpts : 1;
	argv = arena_alloc(&d->arena, count * sizeof *argv);
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < (t->v[i].per_rcpt ? d->nrcpts : 1); k++) {
			x.rcpt = &d->rcpts[k];
			argv[n++] = expand_word(&t->v[i], &x);
		}
	}
	argv[n] = NULL;
	return argv;
}
