/* Memory that is always there: these abort the process when the system has none left.
 * A size that a stranger chose is checked against a limit before it comes here. */
#ifndef POSTERN_BASE_MEM_H
#define POSTERN_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n); /* uninitialised */
void *mem_zero(size_t n);  /* zeroed */
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_memdup(const char *s, size_t n); /* adds a terminating NUL */

/* The struct that contains member, from a pointer to that member. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))

#endif
