/* Intrusive binary min-heap keyed by a 64-bit number: retry times, back-offs. */
#ifndef POSTERN_BASE_HEAP_H
#define POSTERN_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t index; /* position + 1 in the heap; 0: in none */
};
struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_add(struct heap *h, struct heap_node *node);	  /* node->key is set by the caller */
void heap_remove(struct heap *h, struct heap_node *node); /* no-op when it is in none */
struct heap_node *heap_min(const struct heap *h);	  /* or NULL */
void heap_free(struct heap *h);

#endif
