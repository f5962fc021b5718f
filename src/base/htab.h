/* A hash table from byte strings to pointers. Keys are copied; values are the caller's. */
#ifndef POSTERN_BASE_HTAB_H
#define POSTERN_BASE_HTAB_H

#include "base/str.h"

struct htab_entry {
	struct htab_entry *next;
	void *value;
	uint64_t hash;
	size_t n;
	char key[]; /* n bytes and a NUL */
};
struct htab {
	struct htab_entry **slots;
	size_t nslots, count;
};

void *htab_get(const struct htab *t, str key);		       /* value, or NULL */
struct htab_entry *htab_find(const struct htab *t, str key);   /* entry, or NULL */
struct htab_entry *htab_set(struct htab *t, str key, void *v); /* adds or replaces */
void *htab_del(struct htab *t, str key);		    /* the value that was there, or NULL */
void htab_free(struct htab *t, void (*free_value)(void *)); /* free_value may be NULL */
struct htab_entry *htab_next(const struct htab *t, struct htab_entry *e); /* e NULL: the first */
uint64_t htab_hash(str key); /* keyed with a per-process secret: strangers choose keys */

/* The body must not add entries; it may delete none but the current one through its key
 * after taking htab_next first. */
#define HTAB_FOREACH(var, t)                                                                       \
	for (struct htab_entry * (var) = htab_next(t, NULL); var; (var) = htab_next(t, var))

#endif
