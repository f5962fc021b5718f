/* Address lists in header fields. First all tokens, then one walk over them that finds the
 * addresses and writes the list anew; the result counts only if an address was replaced. */
#include "mail/hdraddr.h"

#include "base/mem.h"
#include "mail/addr.h"

#include <stdlib.h>

#define LINE_WIDTH 72
#define TAB_WIDTH  8
#define TOKENS_MAX 100000 /* without a limit of the caller's */

enum tok_type { WORD, QUOTED, LITERAL, COMMENT, SPECIAL };
struct tok {
	unsigned char type;
	bool open; /* a quoted string or comment that never ends */
	str text;
};
struct walk {
	struct tok *v;
	size_t n, last_semicolon, cap;
	hdraddr_fn fn;
	void *ctx;
	struct buf *out; /* NULL: only looking */
	struct buf internal, external, item;
	size_t column;
	bool list_open; /* something stands there that a comma must follow */
	bool replaced, in_group;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word_char(char c)
{
	return c && !is_blank(c) && !strchr("\"(<>,;:@.[", c);
}

/* RFC 5322 3.2.2 to 3.2.4, 3.4.1. Lengths of tokens at the start of s, which never fail: what does
 * not end runs to the end of the field. */
static size_t quoted_length(str s, char close, bool *open)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close)
			return i + 1;
	}
	*open = true;
	return s.n;
}

static size_t comment_length(str s, bool *open)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	*open = true;
	return s.n;
}

static size_t word_length(str s)
{
	size_t i = s.p[0] == '\\' ? 2 : 1;

	while (i < s.n && is_word_char(s.p[i]))
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i : s.n;
}

static struct tok next_token(str s)
{
	struct tok t = {.type = SPECIAL, .text = str_head(s, 1)};

	switch (s.p[0]) {
	case '"':
		t.type = QUOTED;
		t.text.n = quoted_length(s, '"', &t.open);
		break;
	case '(':
		t.type = COMMENT;
		t.text.n = comment_length(s, &t.open);
		break;
	case '[':
		t.type = LITERAL;
		t.text.n = quoted_length(s, ']', &t.open);
		if (!t.open)
			break;
		t.open = false;
		/* fall through */
	default:
		t.type = WORD;
		t.text.n = word_length(s);
		break;
	case '<':
	case '>':
	case ',':
	case ';':
	case ':':
	case '@':
	case '.':
		break;
	}
	return t;
}

static bool tok_is(const struct walk *w, size_t i, char c)
{
	return i < w->n && w->v[i].type == SPECIAL && w->v[i].text.p[0] == c;
}

static bool is_wordlike(const struct tok *t)
{
	return t->type == WORD || t->type == QUOTED || t->type == LITERAL;
}

static void add_token(struct walk *w, struct tok t)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 32;
		w->v = mem_realloc(w->v, w->cap * sizeof *w->v);
	}
	if (t.type == SPECIAL && t.text.p[0] == ';')
		w->last_semicolon = w->n + 1;
	w->v[w->n++] = t;
}

static void tokenize(struct walk *w, str value, size_t limit)
{
	if (limit == 0 || limit > TOKENS_MAX)
		limit = TOKENS_MAX;
	for (;;) {
		struct tok t;

		while (value.n && is_blank(value.p[0]))
			value = str_from(value, 1);
		if (value.n == 0)
			return;
		if (w->n == limit)
			break;
		t = next_token(value);
		add_token(w, t);
		value = str_from(value, t.text.n);
	}
	w->replaced = true;
	if (strchr(",;", value.p[0]))
		return;
	/* Half an address would be another one. */
	for (size_t n = w->n; n > 0; n--)
		if (tok_is(w, n - 1, ',')) {
			w->n = n;
			return;
		}
}

/* --- writing */

/* Appends text without its line breaks. */
static void add_unfolded(struct buf *out, str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' && text.p[i] != '\n')
			buf_char(out, text.p[i]);
}

static void close_comment(struct buf *out, str text)
{
	size_t depth = 0;
	bool escape = false;

	for (size_t i = 0; i < text.n; i++) {
		escape = text.p[i] == '\\';
		if (escape)
			i++;
		else if (text.p[i] == '(')
			depth++;
		else if (text.p[i] == ')')
			depth--;
	}
	if (escape && text.p[text.n - 1] == '\\')
		buf_char(out, '\\');
	while (depth--)
		buf_char(out, ')');
}

/* Appends a token as it came, ended if it did not end. */
static void add_raw(struct buf *out, const struct tok *t)
{
	size_t escapes = 0;

	add_unfolded(out, t->text);
	if (!t->open)
		return;
	if (t->type == COMMENT) {
		close_comment(out, t->text);
		return;
	}
	while (escapes < t->text.n && t->text.p[t->text.n - 1 - escapes] == '\\')
		escapes++;
	if (escapes & 1)
		buf_char(out, '\\');
	buf_char(out, '"');
}

/* Writes what was gathered in w->item, behind a comma and on a new line as needed. */
static void put_item(struct walk *w, bool with_comma)
{
	if (!w->out) {
		buf_clear(&w->item);
		return;
	}
	if (with_comma && w->list_open) {
		buf_char(w->out, ',');
		w->column++;
	}
	if (w->out->n && w->column) {
		if (w->column + w->item.n + 2 > LINE_WIDTH && w->column > TAB_WIDTH) {
			buf_cstr(w->out, "\n\t");
			w->column = TAB_WIDTH;
		} else {
			buf_char(w->out, ' ');
			w->column++;
		}
	}
	buf_str(w->out, buf_view(&w->item));
	w->column += w->item.n;
	buf_clear(&w->item);
	w->list_open = true;
}

static void add_space(struct buf *b)
{
	if (b->n && b->p[b->n - 1] != ' ')
		buf_char(b, ' ');
}

/* --- addresses */

static void add_unescaped(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			buf_char(out, s.p[i]);
	}
}

/* Tokens [i, end) as an address in internal form. */
static void make_internal(struct walk *w, size_t i, size_t end)
{
	bool after_word = false;

	buf_clear(&w->internal);
	for (; i < end; i++) {
		const struct tok *t = &w->v[i];

		if (t->type == COMMENT)
			continue;
		if (is_wordlike(t) && after_word)
			buf_char(&w->internal, ' ');
		after_word = is_wordlike(t);
		if (t->type == QUOTED)
			add_unescaped(&w->internal, (str){t->text.p + 1, t->text.n - 1 - !t->open});
		else if (t->type == WORD)
			add_unescaped(&w->internal, t->text);
		else
			add_unfolded(&w->internal, t->text);
	}
}

/* Whether the address of tokens [i, end) was written as text, white space and comments aside. */
static bool was_written(const struct walk *w, size_t i, size_t end, str text)
{
	for (; i < end; i++) {
		if (w->v[i].type == COMMENT)
			continue;
		if (w->v[i].type == WORD && str_chr(w->v[i].text, '\\') >= 0)
			return true; /* an escape is as good as quotes */
		if (!str_starts(text, w->v[i].text))
			return false;
		text = str_from(text, w->v[i].text.n);
	}
	return text.n == 0;
}

/* Whether tokens [i, end) are a local part that only quotes keep from being another address: its
 * internal form would not tell. */
static bool is_quoted_at(const struct walk *w, size_t i, size_t end)
{
	for (; i < end; i++)
		if (tok_is(w, i, '@'))
			return false;
	return str_chr(buf_view(&w->internal), '@') >= 0;
}

/* Shows the address in w->internal, of tokens [i, end), and appends what it is now to w->item. One
 * that only its quotes tell from its standard form counts as replaced. */
static void show_address(struct walk *w, size_t i, size_t end)
{
	size_t at = w->item.n;

	if (w->out && is_quoted_at(w, i, end)) {
		buf_quoted(&w->item, buf_view(&w->internal));
		return;
	}
	buf_clear(&w->external);
	if (w->internal.n && w->fn(w->ctx, buf_view(&w->internal), w->out ? &w->external : NULL) &&
	    w->out) {
		w->replaced = true;
		addr_quote(&w->item, buf_view(&w->external));
	} else {
		addr_quote(&w->item, buf_view(&w->internal));
		if (!was_written(w, i, end, str_from(buf_view(&w->item), at)))
			w->replaced = true;
	}
}

/* Comments behind an address belong to it. */
static size_t take_comments(struct walk *w, size_t i)
{
	for (; i < w->n && w->v[i].type == COMMENT; i++) {
		add_space(&w->item);
		add_raw(&w->item, &w->v[i]);
	}
	return i;
}

/* Index behind a route "@a,@b:" at the start of an angle address, or i. */
static size_t skip_route(const struct walk *w, size_t i, size_t end)
{
	if (!tok_is(w, i, '@'))
		return i;
	for (size_t k = i; k < end; k++)
		if (tok_is(w, k, ':'))
			return k + 1;
	return i;
}

/* Tokens [i, angle) are a phrase, <...> follows and ends before close. */
static size_t take_angle(struct walk *w, size_t i, size_t angle, size_t close)
{
	if (angle > i) {
		const char *from = w->v[i].text.p,
			   *to = w->v[angle - 1].text.p + w->v[angle - 1].text.n;

		add_unfolded(&w->item, str_trim(str_mem(from, (size_t)(to - from))));
		add_space(&w->item);
	}
	buf_char(&w->item, '<');
	make_internal(w, skip_route(w, angle + 1, close), close);
	if (w->internal.n)
		show_address(w, angle + 1, close);
	buf_char(&w->item, '>');
	i = take_comments(w, close + 1);
	put_item(w, true);
	return i;
}

/* An address without angle brackets: words joined by dots, @ and colons, up to a word that follows
 * a word, or end. Comments inside move behind it. */
static size_t take_plain(struct walk *w, size_t i, size_t end)
{
	bool word = false;
	size_t first = i, k;

	for (k = i; k < end; k++) {
		if (w->v[k].type == COMMENT)
			continue;
		if (is_wordlike(&w->v[k]) && word)
			break;
		word = is_wordlike(&w->v[k]);
	}
	while (k > first && w->v[k - 1].type == COMMENT && k < end)
		k--;
	for (; first < k && w->v[first].type == COMMENT; first++) {
		add_raw(&w->item, &w->v[first]);
		add_space(&w->item);
	}
	make_internal(w, first, k);
	if (w->internal.n || first < k)
		show_address(w, first, k);
	for (; first < k; first++)
		if (w->v[first].type == COMMENT) {
			add_space(&w->item);
			add_raw(&w->item, &w->v[first]);
		}
	k = take_comments(w, k);
	if (w->item.n)
		put_item(w, true);
	return k;
}

/* What is no address: kept as text. */
static size_t take_text(struct walk *w, size_t i, size_t end)
{
	for (; i < end; i++) {
		if (w->v[i].type != SPECIAL || w->v[i].text.p[0] == '<')
			add_space(&w->item);
		add_raw(&w->item, &w->v[i]);
	}
	put_item(w, true);
	return i;
}

/* "group:" at [i, colon] */
static size_t take_group(struct walk *w, size_t i, size_t colon)
{
	if (colon > i) {
		const char *from = w->v[i].text.p;

		add_unfolded(
		    &w->item, str_trim(str_mem(from, (size_t)(w->v[colon].text.p - from))));
	}
	buf_char(&w->item, ':');
	put_item(w, true);
	w->list_open = false;
	w->in_group = true;
	return colon + 1;
}

static void put_mark(struct walk *w, char c)
{
	if (w->out) {
		buf_char(w->out, c);
		w->column++;
	}
	w->list_open = c == ';';
}

/* One list element at i, which is no separator. */
static size_t take_element(struct walk *w, size_t i)
{
	size_t end = i, close;

	for (; end < w->n; end++) {
		if (w->v[end].type != SPECIAL)
			continue;
		if (strchr(",;<>", w->v[end].text.p[0]))
			break;
		if (w->v[end].text.p[0] == ':' && !w->in_group && end + 1 < w->last_semicolon)
			return take_group(w, i, end);
	}
	if (!tok_is(w, end, '<'))
		return end > i ? take_plain(w, i, end) : take_text(w, i, end + 1);
	close = end + 1;
	while (close < w->n && !tok_is(w, close, '>') && !tok_is(w, close, '<') &&
	       !tok_is(w, close, ';'))
		close++;
	if (tok_is(w, close, '>'))
		return take_angle(w, i, end, close);
	return take_text(w, i, end + 1);
}

static void walk_all(struct walk *w)
{
	size_t i = 0;

	while (i < w->n) {
		if (tok_is(w, i, ',')) {
			if (w->list_open && i + 1 < w->n && !tok_is(w, i + 1, ','))
				put_mark(w, ',');
			i++;
		} else if (tok_is(w, i, ';')) {
			put_mark(w, ';');
			w->in_group = false;
			i++;
		} else {
			i = take_element(w, i);
		}
	}
}

static void walk_free(struct walk *w)
{
	free(w->v);
	buf_free(&w->internal);
	buf_free(&w->external);
	buf_free(&w->item);
}

bool hdraddr_rewrite(
    str value, size_t first_column, size_t token_limit, hdraddr_fn fn, void *ctx, struct buf *out)
{
	struct buf text = {0};
	struct walk w = {.fn = fn, .ctx = ctx, .out = &text, .column = first_column};

	tokenize(&w, value, token_limit);
	walk_all(&w);
	if (w.replaced)
		buf_str(out, buf_view(&text));
	buf_free(&text);
	walk_free(&w);
	return w.replaced;
}

void hdraddr_each(str value, size_t token_limit, hdraddr_fn fn, void *ctx)
{
	struct walk w = {.fn = fn, .ctx = ctx};

	tokenize(&w, value, token_limit);
	walk_all(&w);
	walk_free(&w);
}

static bool keep_first(void *ctx, str address, struct buf *unused)
{
	struct buf *first = ctx;

	(void)unused;
	if (first->n == 0)
		buf_str(first, address);
	return false;
}

bool hdraddr_one(str text, struct buf *out)
{
	struct buf first = {0};
	bool found;

	hdraddr_each(text, 0, keep_first, &first);
	found = first.n > 0;
	buf_str(out, buf_view(&first));
	buf_free(&first);
	return found;
}

/* --- names */

void hdraddr_phrase(struct buf *out, str name)
{
	bool quote = false;

	for (size_t i = 0; i < name.n; i++)
		quote = quote || (name.p[i] && strchr("()<>@,;:\\\".[]", name.p[i]));
	if (quote)
		buf_char(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, name.p[i] == '\r' || name.p[i] == '\n' ? ' ' : name.p[i]);
	}
	if (quote)
		buf_char(out, '"');
}

void hdraddr_comment(struct buf *out, str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '(' || name.p[i] == ')' || name.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, name.p[i] == '\r' || name.p[i] == '\n' ? ' ' : name.p[i]);
	}
}
