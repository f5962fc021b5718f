/* Intrusive doubly linked list with a head node. */
#ifndef POSTERN_BASE_LIST_H
#define POSTERN_BASE_LIST_H

#include "base/mem.h"
#include <stdbool.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_insert_before(struct list *where, struct list *node)
{
	node->prev = where->prev;
	node->next = where;
	where->prev->next = node;
	where->prev = node;
}
static inline void list_append(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}
static inline void list_prepend(struct list *head, struct list *node)
{
	list_insert_before(head->next, node);
}
/* Unlinks node and leaves it an empty list of its own, so that unlinking it again does no harm. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define LIST_ITEM(node, type, member) CONTAINER_OF(node, type, member)
/* The loop body may remove the current item (and only that one). */
#define LIST_FOREACH(var, head, type, member)                                                      \
	for (struct list *it_ = (head)->next, *nx_ = it_->next;                                    \
	     it_ != (head) && ((var) = LIST_ITEM(it_, type, member), 1);                           \
	     it_ = nx_, nx_ = it_->next)

#endif
