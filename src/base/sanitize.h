/* What the address sanitizer must be told by allocators and by whoever switches stacks; nothing
 * without it. */
#ifndef POSTERN_BASE_SANITIZE_H
#define POSTERN_BASE_SANITIZE_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#endif

#ifdef SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define sanitize_poison(p, n)		   __asan_poison_memory_region((p), (n))
#define sanitize_unpoison(p, n)		   __asan_unpoison_memory_region((p), (n))
#define sanitize_leave(save, bottom, size) __sanitizer_start_switch_fiber((save), (bottom), (size))
#define sanitize_arrive(save, bottom, size)                                                        \
	__sanitizer_finish_switch_fiber((save), (bottom), (size))
#else
#define sanitize_poison(p, n)		    ((void)(p), (void)(n))
#define sanitize_unpoison(p, n)		    ((void)(p), (void)(n))
#define sanitize_leave(save, bottom, size)  ((void)(save), (void)(bottom), (void)(size))
#define sanitize_arrive(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

#endif
