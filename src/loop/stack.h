/* Stacks of coroutines. Private to src/loop. */
#ifndef POSTERN_LOOP_STACK_H
#define POSTERN_LOOP_STACK_H

#include <stddef.h>

/* A stack of its full size, taken from the cache or made; aborts when the system has no memory.
 * Returns its lowest usable byte. */
void *stack_get(void);
size_t stack_size(void); /* usable bytes */
void stack_put(void *low);

/* Gives the pages that are wholly below sp back to the system: what a call had used that is over.
 */
void stack_trim(void *low, void *sp);

/* True when more than three quarters were ever used since stack_get(). Debug builds. */
int stack_nearly_full(void *low);

#endif
