#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>

static void put(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->index = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *node)
{
	while (i > 0 && h->v[(i - 1) / 2]->key > node->key) {
		put(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, node);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *node)
{
	for (size_t child = 2 * i + 1; child < h->n; child = 2 * i + 1) {
		if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
			child++;
		if (h->v[child]->key >= node->key)
			break;
		put(h, i, h->v[child]);
		i = child;
	}
	put(h, i, node);
}

void heap_add(struct heap *h, struct heap_node *node)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->v = mem_realloc(h->v, h->cap * sizeof(*h->v));
	}
	h->n++;
	sift_up(h, h->n - 1, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->index;
	struct heap_node *last;

	if (!i--)
		return;
	node->index = 0;
	last = h->v[--h->n];
	if (last == node)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->key > last->key)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->n ? h->v[0] : NULL;
}

void heap_free(struct heap *h)
{
	free(h->v);
	*h = (struct heap){0};
}
