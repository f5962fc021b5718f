#include "base/arena.h"

#include "base/mem.h"
#include "base/sanitize.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN ((size_t)1024)
#define BLOCK_MAX ((size_t)64 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size; /* of the whole block */
	_Alignas(16) char data[];
};

#ifdef SANITIZE_ADDRESS
#define RED_ZONE 16
#else
#define RED_ZONE 0
#endif

static void block_free(struct arena_block *b)
{
	sanitize_unpoison(b, b->size);
	free(b);
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b = mem_alloc(size);

	b->size = size;
	sanitize_poison(b->data, size - sizeof(*b));
	return b;
}

static void *take(char *p, size_t n)
{
	sanitize_unpoison(p, n);
	return p;
}

static void use_block(struct arena *a, struct arena_block *b)
{
	a->p = b->data;
	a->end = (char *)b + b->size;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t room, size;
	struct arena_block *b;
	char *p;

	if (n > SIZE_MAX / 4)
		return mem_alloc(SIZE_MAX); /* aborts */
	a->total += n;
	room = (n + RED_ZONE + 15) & ~(size_t)15;
	if (room <= (size_t)(a->end - a->p)) {
		p = a->p;
		a->p += room;
		return take(p, n);
	}
	/* By half of what is there: doubling would leave most of the last block unused. */
	size = (a->total / 2 + 15) & ~(size_t)15;
	if (size < BLOCK_MIN)
		size = BLOCK_MIN;
	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (room > size / 2 && a->blocks) {
		/* A large piece gets a block of its own behind the newest, whose rest stays in use.
		 */
		b = block_new(sizeof(*b) + room);
		b->next = a->blocks->next;
		a->blocks->next = b;
		return take(b->data, n);
	}
	if (size < sizeof(*b) + room)
		size = sizeof(*b) + room;
	b = block_new(size);
	b->next = a->blocks;
	a->blocks = b;
	use_block(a, b);
	a->p += room;
	return take(b->data, n);
}

void *arena_zero(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *arena_cstr(struct arena *a, str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

str arena_str(struct arena *a, str s)
{
	return (str){arena_cstr(a, s), s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[256], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return arena_cstr(a, STR(""));
	p = arena_alloc(a, (size_t)n + 1);
	if ((size_t)n < sizeof(small)) {
		memcpy(p, small, (size_t)n + 1);
	} else {
		va_start(ap, fmt);
		vsnprintf(p, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL, *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		if (!keep && b->size <= BLOCK_MIN)
			keep = b;
		else
			block_free(b);
	}
	*a = (struct arena){.blocks = keep};
	if (keep) {
		keep->next = NULL;
		sanitize_poison(keep->data, keep->size - sizeof(*keep));
		use_block(a, keep);
	}
}

void arena_free(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		block_free(b);
	}
	*a = (struct arena){0};
}
