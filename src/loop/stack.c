#include "loop/stack.h"

#include "base/mem.h"
#include "base/sanitize.h"
#include "loop/co.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef SANITIZE_ADDRESS
#include <sanitizer/lsan_interface.h>
#define SIZE		  (4 * (size_t)CO_STACK_SIZE) /* red zones make frames large */
#define leaks_look(p, n)  __lsan_register_root_region((p), (n))
#define leaks_leave(p, n) __lsan_unregister_root_region((p), (n))
#else
#define SIZE		  ((size_t)CO_STACK_SIZE)
#define leaks_look(p, n)  ((void)(p), (void)(n))
#define leaks_leave(p, n) ((void)(p), (void)(n))
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

#define GUARD                                                                                      \
	((size_t)16384) /* also what a frame may skip unnoticed; a multiple of any page size in    \
			   use */
#define CACHE_MAX 128	/* stacks kept for reuse, with the few pages they touched */

struct cached {
	struct cached *next;
};
static struct cached *cache;
static int ncached;

size_t stack_size(void)
{
	return SIZE;
}

/* A guard installed by madvise() does not split the mapping, so that the number of coroutines is
 * not bounded by vm.max_map_count. */
static void install_guard(void *p)
{
	if (madvise(p, GUARD, MADV_GUARD_INSTALL) < 0 && mprotect(p, GUARD, PROT_NONE) < 0)
		abort();
}

static void *stack_new(void)
{
	char *p = mmap(NULL, GUARD + SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		mem_alloc(SIZE_MAX); /* says so, and aborts */
	/* A huge page would make an idle session cost 2 MiB. */
	madvise(p, GUARD + SIZE, MADV_NOHUGEPAGE);
	install_guard(p);
	return p + GUARD;
}

void *stack_get(void)
{
	char *top;
	void *low;

	if (!cache) {
		low = stack_new();
	} else {
		top = (char *)cache + sizeof(*cache);
		cache = cache->next;
		ncached--;
		low = top - SIZE;
	}
	leaks_look(low, SIZE);
	return low;
}

void stack_put(void *low)
{
	/* The list's link is in the page that is touched in any case. */
	struct cached *c = (struct cached *)((char *)low + SIZE - sizeof(*c));

	sanitize_unpoison(low, SIZE);
	leaks_leave(low, SIZE);
	if (ncached >= CACHE_MAX) {
		munmap((char *)low - GUARD, GUARD + SIZE);
		return;
	}
#ifdef POSTERN_DEBUG
	madvise(low, SIZE, MADV_DONTNEED); /* so that stack_nearly_full() sees this life only */
#endif
	c->next = cache;
	cache = c;
	ncached++;
}

void stack_trim(void *low, void *sp)
{
	/* Below the stack pointer a leaf function may use 128 bytes (x86-64's red zone). */
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = ((uintptr_t)sp - 128) & ~(page - 1);

	if (end > (uintptr_t)low && end <= (uintptr_t)low + SIZE)
		madvise(low, end - (uintptr_t)low, MADV_DONTNEED);
}

int stack_nearly_full(void *low)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = SIZE / 4 / page;
	unsigned char resident[SIZE / 4 / 4096 + 1];

	if (mincore(low, pages * page, resident) < 0)
		return 0;
	for (size_t i = 0; i < pages; i++)
		if (resident[i] & 1)
			return 1;
	return 0;
}
