#include "cmd/postalias/aliasline.h"

#define SPECIALS "<>:;@,.!%"
#define SPACES	 " \t\r\n"

enum token_kind {
	TOKEN_END,
	TOKEN_ATOM,
	TOKEN_QUOTED,
	TOKEN_LITERAL,
	TOKEN_COMMENT,
	TOKEN_SPECIAL
};
struct token {
	enum token_kind kind;
	char special;
	struct buf text; /* without quotes, brackets and backslashes; comments as they are */
};

static char take(str *s)
{
	char c = s->p[0];

	*s = str_from(*s, 1);
	return c;
}

/* Up to the closing character; a missing one is taken as there. */
static void take_until(str *s, char close, struct buf *text)
{
	while (s->n) {
		char c = take(s);

		if (c == close)
			return;
		if (c == '\\') {
			if (s->n == 0)
				return;
			c = take(s);
		}
		buf_char(text, c);
	}
}

static void take_comment(str *s, struct buf *text)
{
	int depth = 0;

	do {
		char c = take(s);

		buf_char(text, c);
		if (c == '\\' && s->n)
			buf_char(text, take(s));
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	} while (s->n && depth > 0);
}

/* RFC 822 3.3, with ! and % as operators of their own. */
static void next_token(str *s, struct token *t)
{
	buf_clear(&t->text);
	t->kind = TOKEN_END;
	while (s->n && strchr(SPACES, s->p[0]) && s->p[0])
		take(s);
	if (s->n == 0)
		return;
	if (s->p[0] == '"' || s->p[0] == '[') {
		t->kind = take(s) == '"' ? TOKEN_QUOTED : TOKEN_LITERAL;
		take_until(s, t->kind == TOKEN_QUOTED ? '"' : ']', &t->text);
	} else if (s->p[0] == '(') {
		t->kind = TOKEN_COMMENT;
		take_comment(s, &t->text);
	} else if (s->p[0] && strchr(SPECIALS, s->p[0])) {
		t->kind = TOKEN_SPECIAL;
		t->special = take(s);
	} else {
		t->kind = TOKEN_ATOM;
		do {
			char c = take(s);

			if (c == '\\') {
				if (s->n == 0)
					return;
				c = take(s);
				if (strchr(SPACES SPECIALS "\"()\\", c))
					t->kind = TOKEN_QUOTED;
			}
			buf_char(&t->text, c);
		} while (s->n && !(s->p[0] && strchr(SPACES SPECIALS "\"([", s->p[0])));
	}
}

static bool is_word(const struct token *t)
{
	return t->kind != TOKEN_SPECIAL && t->kind != TOKEN_END;
}

/* The bar of |"command with arguments" belongs to what follows. */
static bool is_bar(const struct token *t)
{
	return t->kind == TOKEN_ATOM && str_eq(buf_view(&t->text), STR("|"));
}

static void put_token(struct buf *out, const struct token *t, bool after_word, bool quote)
{
	if (after_word && (is_word(t) || (t->kind == TOKEN_SPECIAL && t->special == '<')))
		buf_char(out, ' ');
	if (t->kind == TOKEN_SPECIAL) {
		buf_char(out, t->special);
		if (t->special == ',')
			buf_char(out, ' ');
	} else if (t->kind == TOKEN_QUOTED && quote) {
		buf_quoted(out, buf_view(&t->text));
	} else if (t->kind == TOKEN_LITERAL) {
		buf_printf(out, "[%s]", buf_text(&t->text));
	} else {
		buf_str(out, buf_view(&t->text));
	}
}

/* The name, up to its colon. */
static const char *parse_name(str *s, struct token *t, struct buf *key)
{
	const char *what = NULL;
	bool any = false, after_word = false;

	for (;;) {
		next_token(s, t);
		if (t->kind == TOKEN_END)
			return "need name:value pair";
		if (t->kind == TOKEN_SPECIAL && t->special == ':')
			break;
		if (t->kind == TOKEN_SPECIAL && t->special == ',')
			return "need name:value pair";
		if (t->kind == TOKEN_SPECIAL && (t->special == '@' || t->special == '%'))
			what = "name must be local";
		put_token(key, t, after_word, false);
		after_word = is_word(t);
		any = true;
	}
	if (!any)
		return "need name:value pair";
	return what;
}

const char *aliasline_parse(str line, struct buf *key, struct buf *value)
{
	struct token t = {0};
	const char *what = parse_name(&line, &t, key);
	bool after_word = false;

	while (line.n) {
		next_token(&line, &t);
		if (t.kind == TOKEN_END)
			break;
		put_token(value, &t, after_word, true);
		after_word = is_word(&t) && !is_bar(&t);
	}
	if (value->n == 0)
		what = "need name:value pair";
	buf_free(&t.text);
	return what;
}
