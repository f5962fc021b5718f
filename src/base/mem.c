#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *check(void *p)
{
	static const char text[] = "fatal: out of memory\n";

	if (!p) {
		ssize_t ignored = write(2, text, sizeof(text) - 1);
		(void)ignored;
		abort();
	}
	return p;
}

void *mem_alloc(size_t n)
{
	return check(malloc(n ? n : 1));
}

void *mem_zero(size_t n)
{
	return check(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n)
{
	return check(realloc(p, n ? n : 1));
}

char *mem_strdup(const char *s)
{
	return mem_memdup(s, strlen(s));
}

char *mem_memdup(const char *s, size_t n)
{
	char *p = mem_alloc(n + 1);

	if (n)
		memcpy(p, s, n);
	p[n] = 0;
	return p;
}
