#include "base/str.h"

#include "base/mem.h"

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c;
}

static bool same(const char *a, const char *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool str_eq(str a, str b)
{
	return a.n == b.n && same(a.p, b.p, a.n);
}

bool str_eq_nocase(str a, str b)
{
	return a.n == b.n && same_nocase(a.p, b.p, a.n);
}

bool str_starts(str s, str prefix)
{
	return s.n >= prefix.n && same(s.p, prefix.p, prefix.n);
}

bool str_starts_nocase(str s, str prefix)
{
	return s.n >= prefix.n && same_nocase(s.p, prefix.p, prefix.n);
}

bool str_ends(str s, str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_ends_nocase(str s, str suffix)
{
	return s.n >= suffix.n && str_eq_nocase(str_from(s, s.n - suffix.n), suffix);
}

int str_cmp(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

str str_from(str s, size_t at)
{
	if (at > s.n)
		at = s.n;
	return (str){at ? s.p + at : s.p, s.n - at};
}

str str_head(str s, size_t n)
{
	return (str){s.p, n < s.n ? n : s.n};
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_chomp(str s)
{
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

str str_trim(str s)
{
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_space(s.p[0]))
		s = str_from(s, 1);
	return s;
}

ptrdiff_t str_chr(str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t str_rchr(str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t str_find(str s, str what)
{
	const char *at;

	if (what.n == 0)
		return 0;
	if (s.n < what.n)
		return -1;
	at = memmem(s.p, s.n, what.p, what.n);
	return at ? at - s.p : -1;
}

bool str_is_ascii(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 128)
			return false;
	return true;
}

bool str_is_digits(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* strchr() would find the NUL at the end of sep. */
static bool is_sep(const char *sep, char c)
{
	return c && strchr(sep, c);
}

static void skip_seps(str *rest, const char *sep)
{
	while (rest->n && is_sep(sep, rest->p[0]))
		*rest = str_from(*rest, 1);
}

bool str_word(str *rest, const char *sep, str *word)
{
	size_t n = 0;

	skip_seps(rest, sep);
	while (n < rest->n && !is_sep(sep, rest->p[n]))
		n++;
	*word = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

bool str_word_braced(str *rest, const char *sep, str *word)
{
	size_t n = 0, depth = 0;

	skip_seps(rest, sep);
	while (n < rest->n && (depth || !is_sep(sep, rest->p[n]))) {
		if (rest->p[n] == '{')
			depth++;
		else if (rest->p[n] == '}' && depth)
			depth--;
		n++;
	}
	*word = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

bool str_split(str *rest, char sep, str *part)
{
	ptrdiff_t at;

	if (!rest->p)
		return false;
	at = str_chr(*rest, sep);
	if (at < 0) {
		*part = *rest;
		*rest = (str){NULL, 0};
	} else {
		*part = str_head(*rest, (size_t)at);
		*rest = str_from(*rest, (size_t)at + 1);
	}
	return true;
}

bool str_to_u64(str s, uint64_t *out)
{
	uint64_t v = 0;

	if (!str_is_digits(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	*out = v;
	return true;
}

bool str_to_i64(str s, int64_t *out)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

char *str_dup(str s)
{
	return mem_memdup(s.p, s.n);
}

bool str_eq_secret(str a, str b)
{
	volatile unsigned char differ = a.n != b.n;

	/* The length of a is what the stranger sent: the time may tell that. */
	for (size_t i = 0; i < a.n; i++)
		differ |= (unsigned char)(a.p[i] ^ (b.n ? b.p[i % b.n] : 0));
	return !differ;
}
