/* Memory between bursts. Left alone, malloc gives large buffers back to the kernel after each
 * message and faults the same pages in again for the next one; told to keep them, it would never
 * give them back. So they are kept while there is work, and returned when it has been quiet for a
 * while. */
#include "service/service_int.h"

#include <stdlib.h>

#define QUIET_LOAD    1 /* percent */
#define QUIET_SECONDS 5

#ifdef __GLIBC__
#include <malloc.h>

void memory_setup(void)
{
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	/* What a pool thread reads the loop frees: in an arena of its own it would be of no use to
	 * anybody else, and that arena grows and shrinks by single pages. */
	mallopt(M_ARENA_MAX, 1);
}

static void give_back(void)
{
	malloc_trim(0);
}

#else

void memory_setup(void)
{
}

static void give_back(void)
{
}

#endif

bool memory_second(int load)
{
	static int quiet;
	static bool worked;

	if (load > QUIET_LOAD) {
		worked = true;
		quiet = 0;
	} else if (worked && ++quiet >= QUIET_SECONDS) {
		give_back();
		worked = false;
		quiet = 0;
	}
	return worked;
}
