#include "table/bigrams.h"

static unsigned fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)c + ('a' - 'A') : (unsigned char)c;
}

static void add(struct bigrams *b, unsigned first, unsigned second)
{
	unsigned h = (first * 31 + second * 7 + (second >> 5)) % (64 * BIGRAM_WORDS);

	b->bits[h / 64] |= UINT64_C(1) << (h % 64);
}

void bigrams_of_subject(struct bigrams *b, str subject)
{
	unsigned last = subject.n ? fold(subject.p[0]) : 0;

	memset(b, 0, sizeof(*b));
	for (size_t i = 1; i < subject.n; i++) {
		unsigned c = fold(subject.p[i]);

		add(b, last, c);
		last = c;
	}
}

/* --- patterns: only what stands outside of groups and alternatives is looked at */

struct scan {
	str s;	  /* what is left */
	int last; /* the literal before this place, or -1 */
	struct bigrams *b;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of "{n}" "{n,}" "{n,m}" at the start of s, or 0: then the brace is a literal. */
static size_t braces(str s)
{
	size_t i = 1;

	if (s.n < 3 || s.p[0] != '{')
		return 0;
	while (i < s.n && (is_digit(s.p[i]) || s.p[i] == ',' || s.p[i] == ' '))
		i++;
	return i > 1 && i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* Takes the quantifier that may stand here. *optional: what it belongs to may be missing. True when
 * there was one. */
static bool quantifier(struct scan *sc, bool *optional)
{
	size_t n = braces(sc->s);

	*optional = false;
	if (n > 0) /* whatever it says: a minimum of 0 is possible */
		*optional = true;
	else if (sc->s.n && strchr("?*+", sc->s.p[0]) && sc->s.p[0])
		n = 1;
	if (n == 0)
		return false;
	if (sc->s.p[0] == '?' || sc->s.p[0] == '*')
		*optional = true;
	sc->s = str_from(sc->s, n);
	if (sc->s.n && (sc->s.p[0] == '?' || sc->s.p[0] == '+')) /* lazy, possessive */
		sc->s = str_from(sc->s, 1);
	return true;
}

static void literal(struct scan *sc, char c)
{
	unsigned folded = fold(c);
	bool optional, quantified = quantifier(sc, &optional);

	if (!optional && sc->last >= 0)
		add(sc->b, (unsigned)sc->last, folded);
	sc->last = quantified ? -1 : (int)folded;
}

/* Whether a backslash takes one character out of the syntax, not more (\Q...\E, \cX). */
static bool skips_one(str s)
{
	return s.n > 1 && s.p[1] != 'Q' && s.p[1] != 'E' && s.p[1] != 'c';
}

/* Takes a [class]; false: it is not one that we understand. */
static bool class(struct scan *sc)
{
	str s = str_from(sc->s, 1);

	if (s.n && s.p[0] == '^')
		s = str_from(s, 1);
	if (s.n && s.p[0] == ']')
		s = str_from(s, 1);
	while (s.n && s.p[0] != ']') {
		if (s.p[0] == '\\') {
			if (!skips_one(s))
				return false;
			s = str_from(s, 2);
		} else if (s.n > 1 && s.p[0] == '[' && strchr(":.=", s.p[1]) && s.p[1]) {
			size_t n = 2;

			while (n < s.n && is_alnum(s.p[n]))
				n++;
			if (s.p[1] != ':' || !str_starts(str_from(s, n), STR(":]")))
				return false;
			s = str_from(s, n + 2);
		} else {
			s = str_from(s, 1);
		}
	}
	if (s.n == 0)
		return false;
	sc->s = str_from(s, 1);
	return true;
}

/* "(" and "(?:", "(?=", "(?!", "(?<=", "(?<!" and "(?>": others may change what follows. */
static bool is_plain_group(str s)
{
	if (s.n < 2)
		return false;
	if (s.p[1] == '*')
		return false;
	if (s.p[1] != '?')
		return true;
	return s.n > 2 && (strchr(":=!>", s.p[2])
				  ? s.p[2] != 0
				  : s.p[2] == '<' && s.n > 3 && (s.p[3] == '=' || s.p[3] == '!'));
}

/* Takes a whole group with all that is in it. */
static bool group(struct scan *sc)
{
	int depth = 0;

	do {
		if (sc->s.n == 0)
			return false;
		switch (sc->s.p[0]) {
		case '\\':
			if (!skips_one(sc->s))
				return false;
			sc->s = str_from(sc->s, 2);
			break;
		case '[':
			if (!class(sc))
				return false;
			break;
		case '(':
			if (!is_plain_group(sc->s))
				return false;
			depth++;
			sc->s = str_from(sc->s, 1);
			break;
		case ')':
			depth--;
			sc->s = str_from(sc->s, 1);
			break;
		default:
			sc->s = str_from(sc->s, 1);
		}
	} while (depth > 0);
	return true;
}

/* Takes what begins with a backslash. */
static bool escape(struct scan *sc)
{
	char c;

	if (sc->s.n < 2)
		return false;
	c = sc->s.p[1];
	sc->s = str_from(sc->s, 2);
	if (!is_alnum(c)) {
		literal(sc, c);
		return true;
	}
	sc->last = -1;
	return strchr("dDwWsSbBAzZhHvVRtnr", c) != NULL;
}

/* One element; false: give up. */
static bool element(struct scan *sc)
{
	char c = sc->s.p[0];
	bool optional;

	switch (c) {
	case '\\':
		return escape(sc);
	case '|':
		return false;
	case '(':
		sc->last = -1;
		return group(sc);
	case '[':
		sc->last = -1;
		return class(sc);
	case '.':
	case '^':
	case '$':
		sc->last = -1;
		sc->s = str_from(sc->s, 1);
		return true;
	default:
		if (quantifier(sc, &optional)) { /* of a group or class */
			sc->last = -1;
			return true;
		}
		sc->s = str_from(sc->s, 1);
		literal(sc, c);
		return true;
	}
}

void bigrams_of_pcre(struct bigrams *b, str pattern)
{
	struct scan sc = {.s = pattern, .last = -1, .b = b};

	memset(b, 0, sizeof(*b));
	while (sc.s.n)
		if (!element(&sc)) {
			memset(b, 0, sizeof(*b));
			return;
		}
}
