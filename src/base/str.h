/* A slice: bytes somebody else owns, passed by value. It may hold NULs and need not end in one. */
#ifndef POSTERN_BASE_STR_H
#define POSTERN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	const char *p;
	size_t n;
} str;

#define STR(literal) ((str){"" literal, sizeof(literal) - 1})
#define STR_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

static inline str str_of(const char *cstr)
{
	return (str){cstr ? cstr : "", cstr ? strlen(cstr) : 0};
}
static inline str str_mem(const void *p, size_t n)
{
	return (str){p, n};
}
bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b); /* ASCII case only */
bool str_starts(str s, str prefix);
bool str_starts_nocase(str s, str prefix);
bool str_ends(str s, str suffix);
bool str_ends_nocase(str s, str suffix);
int str_cmp(str a, str b);	   /* byte order, like memcmp then length */
str str_from(str s, size_t at);	   /* s without its first at bytes (empty if shorter) */
str str_head(str s, size_t n);	   /* the first n bytes at most */
str str_chomp(str s);		   /* without the line ends (CR, LF) behind it */
str str_trim(str s);		   /* without ASCII white space at both ends */
ptrdiff_t str_chr(str s, char c);  /* index of the first c, or -1 */
ptrdiff_t str_rchr(str s, char c); /* index of the last c, or -1 */
ptrdiff_t str_find(str s, str what);
bool str_is_ascii(str s);
bool str_is_digits(str s); /* not empty, all 0-9 */

/* Takes the next word out of *rest, words being separated by any of the bytes in sep (a C string);
 * false at the end. Empty words are skipped. */
bool str_word(str *rest, const char *sep, str *word);

/* The same, but a word may be a {...} group (braces nest): the outer braces stay in the word.
 * A group that never closes runs to the end. This is how main.cf lists are split. */
bool str_word_braced(str *rest, const char *sep, str *word);

/* Cuts *rest at the first sep: the part before it into *part. False when *rest is used up.
 * Unlike str_word it yields empty parts: "a,,b" gives three, "" one. Used up: rest->p is NULL. */
bool str_split(str *rest, char sep, str *part);

/* Decimal number, whole slice, no sign; false on anything else or on overflow. */
bool str_to_u64(str s, uint64_t *out);
bool str_to_i64(str s, int64_t *out);

char *str_dup(str s); /* malloc'ed and NUL-terminated; the caller frees */

/* Compares without telling by its time how many bytes agree: for secrets. */
bool str_eq_secret(str a, str b);

#endif
