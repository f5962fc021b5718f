/* A quick no for tables of many patterns: which pairs of neighbouring bytes a match must contain.
 *
 * A pattern's literal text gives pairs that every match has; a subject without one of them cannot
 * match, and the engine need not be asked. Pairs are hashed without regard to ASCII case into a
 * small set, so that the test costs a few machine instructions. It may say yes in vain, never no.
 */
#ifndef POSTERN_TABLE_BIGRAMS_H
#define POSTERN_TABLE_BIGRAMS_H

#include "base/str.h"

#define BIGRAM_WORDS 4

struct bigrams {
	uint64_t bits[BIGRAM_WORDS];
};

/* The pairs that stand in every match of a Perl-compatible pattern (pcre2pattern(3)), not compiled
 * as extended or with UTF. Empty when that cannot be told easily. The pattern must compile. */
void bigrams_of_pcre(struct bigrams *b, str pattern);
/* The pairs that a subject has. */
void bigrams_of_subject(struct bigrams *b, str subject);

/* Whether need has a pair that have lacks. */
static inline bool bigrams_missing(const struct bigrams *need, const struct bigrams *have)
{
	uint64_t lack = 0;

	for (int i = 0; i < BIGRAM_WORDS; i++)
		lack |= need->bits[i] & ~have->bits[i];
	return lack != 0;
}

#endif
