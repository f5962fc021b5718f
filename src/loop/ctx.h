/* Switching between stacks: the machine-dependent bottom of the coroutines. Private to src/loop. */
#ifndef POSTERN_LOOP_CTX_H
#define POSTERN_LOOP_CTX_H

#include <stddef.h>
#include <stdint.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(CTX_UCONTEXT)
#define CTX_ASSEMBLER 1
struct ctx {
	void *sp; /* everything else is saved on the stack it points into */
};
#else
#include <ucontext.h>
struct ctx {
	void *sp; /* where the stack was at the last switch, about */
	ucontext_t uc;
};
#endif

/* Prepares c to call fn(arg) on the stack from low to high when it is switched to first; fn must
 * not return. */
void ctx_make(struct ctx *c, void *low, void *high, void (*fn)(void *arg), void *arg);

/* Saves the running context in from and goes on with to. */
void ctx_switch(struct ctx *from, const struct ctx *to);

#endif
