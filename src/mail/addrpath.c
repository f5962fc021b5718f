/* The path of MAIL FROM: and RCPT TO:.
 *
 * RFC 5321 4.1.2:
 *     Path     = "<" [ A-d-l ":" ] Mailbox ">"
 *     A-d-l    = At-domain *( "," At-domain )
 *     Mailbox  = Local-part "@" ( Domain / address-literal )
 * and, unless strict, what RFC 822 knew beside it: phrases, comments, white space between tokens.
 */
#include "base/hostaddr.h"
#include "mail/addr.h"

#define NEST_MAX 2

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of the quoted string, literal or escaped character at s.p[at], 1 for anything else; 0 when
 * it does not end. */
static size_t span(str s, size_t at)
{
	char close = s.p[at] == '"' ? '"' : s.p[at] == '[' ? ']' : 0;

	if (s.p[at] == '\\')
		return at + 1 < s.n ? 2 : 0;
	if (!close)
		return 1;
	for (size_t i = at + 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close)
			return i + 1 - at;
	}
	return 0;
}

/* Quoted strings hide what is in them; literals do so only for those who ask. */
static size_t step(str s, size_t at)
{
	return s.p[at] == '[' ? 1 : span(s, at);
}

/* Length of a <...>, 0 when it never ends; *total counts a superfluous > directly behind it too. */
static size_t bracketed(str s, size_t *total)
{
	size_t depth = 0, n;

	for (size_t i = 0; i < s.n; i += n) {
		n = step(s, i);
		if (n == 0)
			return 0;
		if (s.p[i] == '<') {
			depth++;
		} else if (s.p[i] == '>' && --depth == 0) {
			*total = i + 1;
			if (*total < s.n && s.p[*total] == '>')
				(*total)++;
			return i + 1;
		}
	}
	return 0;
}

/* Index of c outside quotes and literals, or -1. */
static ptrdiff_t find_top(str s, char c)
{
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		if (s.p[i] == c)
			return (ptrdiff_t)i;
		n = span(s, i);
		if (n == 0)
			return -1;
	}
	return -1;
}

/* Length of a comment with the comments in it; 0 when it never ends. */
static size_t comment(str s)
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
	return 0;
}

static void add_unescaped(struct buf *out, str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_char(out, s.p[i]);
	}
}

static bool is_special(char c)
{
	return c == '"' || c == '[' || c == '(' || c == '<' || c == '>' || c == ',' || c == ';' ||
	       c == ':' || c == '@' || c == '.' || is_space(c);
}

static size_t atom(str s)
{
	size_t i = 0;

	while (i < s.n && !is_special(s.p[i]))
		i += s.p[i] == '\\' ? 2 : 1;
	return i <= s.n ? i : 0;
}

/* One token that is no white space; *word tells whether the one before was a word, which another
 * word may not follow. Returns its length, 0 for a syntax error. */
static size_t take_token(str s, unsigned flags, bool *word, bool *after_at, struct buf *out)
{
	char c = s.p[0];
	bool at = *after_at;
	size_t n;

	if (c == '(')
		return flags & ADDR_STRICT ? 0 : comment(s);
	*after_at = c == '@';
	if (c == '@' || c == '.' || c == ':') {
		*word = false;
		buf_char(out, c);
		return 1;
	}
	if (*word || c == '<' || c == '>' || c == ',' || c == ';' || (c == '[' && !at))
		return 0;
	*word = true;
	n = c == '"' || c == '[' ? span(s, 0) : atom(s);
	if (c == '"' && n)
		add_unescaped(out, (str){s.p + 1, n - 2});
	else if (c == '[')
		buf_str(out, str_head(s, n));
	else
		add_unescaped(out, str_head(s, n));
	return n;
}

/* addr-spec to internal form */
static bool take_spec(str s, unsigned flags, struct buf *out)
{
	bool word = false, after_at = false;
	size_t n;

	while (s.n) {
		n = is_space(s.p[0]) ? 1 : take_token(s, flags, &word, &after_at, out);
		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}

/* Drops "@a,@b:" in front of an address. False when it is no route. */
static bool drop_route(str *s)
{
	ptrdiff_t colon;

	if (s->n == 0 || s->p[0] != '@')
		return true;
	colon = find_top(*s, ':');
	if (colon < 0)
		return true;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (s->p[i] == '"' || s->p[i] == '<' || s->p[i] == '>' || s->p[i] == ';')
			return false;
	*s = str_trim(str_from(*s, (size_t)colon + 1));
	return true;
}

/* "group: member;" */
static str drop_group(str s)
{
	ptrdiff_t colon, at;

	if (s.n == 0 || s.p[s.n - 1] != ';')
		return s;
	s = str_trim(str_head(s, s.n - 1));
	colon = find_top(s, ':');
	at = find_top(s, '@');
	if (colon >= 0 && (at < 0 || colon < at))
		s = str_trim(str_from(s, (size_t)colon + 1));
	return s;
}

/* What stands between the outer brackets may be bracketed again, or have a phrase in front of them.
 */
static bool drop_phrase(str *s, unsigned flags)
{
	for (int depth = 0; depth < NEST_MAX; depth++) {
		ptrdiff_t open;
		size_t n, total = 0;

		*s = str_trim(*s);
		open = find_top(*s, '<');
		if (open < 0)
			return true;
		if (open > 0 && (flags & ADDR_STRICT))
			return false;
		n = bracketed(str_from(*s, (size_t)open), &total);
		if (n == 0 || (size_t)open + total != s->n)
			return false;
		*s = (str){s->p + open + 1, n - 2};
	}
	return false;
}

static bool domain_good(str address, unsigned flags)
{
	ptrdiff_t at = str_rchr(address, '@');
	str domain;

	if (at < 0)
		return true;
	domain = str_from(address, (size_t)at + 1);
	if (at == 0 && (flags & ADDR_STRICT))
		return false;
	if (domain.n == 0)
		return flags & ADDR_NULL_DOMAIN;
	if ((flags & ADDR_NUMERIC) && hostaddr_is_numeric(domain))
		return true;
	return addr_domain_valid(domain, flags & ADDR_UTF8);
}

static bool parse_inner(str inner, unsigned flags, struct buf *address)
{
	size_t start = address->n;
	str got;

	if (!drop_phrase(&inner, flags))
		return false;
	if (!(flags & ADDR_STRICT))
		inner = drop_group(inner);
	if (!drop_route(&inner) || !take_spec(inner, flags, address))
		return false;
	got = str_from(buf_view(address), start);
	if (got.n == 0)
		return flags & ADDR_NULL && inner.n == 0;
	if ((flags & ADDR_UTF8) && !utf8_valid(got))
		return false;
	return domain_good(got, flags);
}

/* What may stand beside <addr>: comments and these characters; words too in front of it. */
static bool is_decoration(str s, const char *specials, bool words)
{
	size_t n;

	while (s.n) {
		if (s.p[0] == '(')
			n = comment(s);
		else if (s.p[0] && strchr(specials, s.p[0]))
			n = 1;
		else
			n = !words ? 0 : s.p[0] == '"' ? span(s, 0) : atom(s);
		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}

/* The end of the path in args: at a space that is in no brackets. 0: a bracket is never closed. */
static size_t path_length(str args, unsigned flags)
{
	size_t n, total = 0;

	if (args.p[0] == '<' && bracketed(args, &total) == 0)
		return 0;
	if (flags & ADDR_WHOLE)
		return args.n;
	while (total < args.n && !is_space(args.p[total])) {
		n = step(args, total);
		total = n ? total + n : args.n;
	}
	return total;
}

/* What is between the outermost brackets of a path, or all of it where there are none. */
static bool take_inner(str path, unsigned flags, str *inner)
{
	ptrdiff_t open = find_top(path, '<');
	size_t n, total;
	str behind;

	*inner = path;
	if (open >= 0 && (n = bracketed(str_from(path, (size_t)open), &total))) {
		behind = str_from(path, (size_t)open + total);
		*inner = (str){path.p + open + 1, n - 2};
		if (flags & ADDR_STRICT)
			return open == 0 && behind.n == 0;
		return is_decoration(str_head(path, (size_t)open), ".: \t", true) &&
		       is_decoration(behind, "; \t", false);
	}
	while (inner->n && inner->p[inner->n - 1] == '>')
		inner->n--;
	return !(flags & ADDR_STRICT);
}

bool addr_parse_path(str args, unsigned flags, struct buf *address, str *path, str *rest)
{
	size_t total, start = address->n;
	str inner;

	args = str_trim(args);
	*path = args;
	*rest = (str){args.p + args.n, 0};
	if (args.n == 0)
		return false;
	total = path_length(args, flags);
	if (total == 0) {
		*path = (str){NULL, 0};
		return false;
	}
	*path = str_head(args, total);
	*rest = str_trim(str_from(args, total));
	if (!take_inner(*path, flags, &inner) || !parse_inner(inner, flags, address)) {
		buf_cut(address, start);
		return false;
	}
	return true;
}
