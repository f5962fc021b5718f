#include "loop/ctx.h"

#include <string.h>

#ifdef CTX_ASSEMBLER

/* Saves the callee-saved registers and the floating-point control words (a switch is a function
 * call to the compiler, so that all others are dead), and swaps stack pointers. */
void ctx_swap(void **save_sp, void *to_sp);
void ctx_entry(void); /* where a new context starts */

#ifdef __x86_64__
__asm__(".text\n"
	".globl ctx_swap\n"
	".hidden ctx_swap\n"
	".type ctx_swap,@function\n"
	".p2align 4\n"
	"ctx_swap:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	subq $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	addq $8, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size ctx_swap,.-ctx_swap\n"
	".globl ctx_entry\n"
	".hidden ctx_entry\n"
	".type ctx_entry,@function\n"
	".p2align 4\n"
	"ctx_entry:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n" /* back traces end here */
	"	endbr64\n"
	"	movq %r12, %rdi\n"
	"	callq *%rbx\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size ctx_entry,.-ctx_entry\n");

/* The frame that ctx_swap pops, in the order of addresses. */
struct frame {
	uint32_t mxcsr;
	uint32_t control;
	void *r15, *r14, *r13, *r12, *rbx, *rbp, *rip;
	void *end[2]; /* rsp is 16-byte aligned at ctx_entry, as after the removal of an argument */
};

static void fill_frame(struct frame *f, void (*fn)(void *), void *arg)
{
	f->mxcsr = 0x1f80;  /* every exception masked, round to nearest */
	f->control = 0x37f; /* the same for the x87 */
	f->rbx = (void *)(uintptr_t)fn;
	f->r12 = arg;
	f->rip = (void *)(uintptr_t)ctx_entry;
}

#else /* __aarch64__ */
__asm__(".text\n"
	".globl ctx_swap\n"
	".hidden ctx_swap\n"
	".type ctx_swap,%function\n"
	".p2align 4\n"
	"ctx_swap:\n"
	"	.cfi_startproc\n"
	"	hint #34\n" /* bti c */
	"	sub sp, sp, #176\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mrs x2, fpcr\n"
	"	str x2, [sp, #160]\n"
	"	mov x2, sp\n"
	"	str x2, [x0]\n"
	"	mov sp, x1\n"
	"	ldr x2, [sp, #160]\n"
	"	msr fpcr, x2\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size ctx_swap,.-ctx_swap\n"
	".globl ctx_entry\n"
	".hidden ctx_entry\n"
	".type ctx_entry,%function\n"
	".p2align 4\n"
	"ctx_entry:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n"
	"	mov x0, x20\n"
	"	blr x19\n"
	"	brk #1\n"
	"	.cfi_endproc\n"
	".size ctx_entry,.-ctx_entry\n");

struct frame {
	void *x19, *x20, *x21_28[8], *x29, *x30;
	uint64_t d8_15[8];
	uint64_t fpcr, pad;
};

static void fill_frame(struct frame *f, void (*fn)(void *), void *arg)
{
	f->x19 = (void *)(uintptr_t)fn;
	f->x20 = arg;
	f->x30 = (void *)(uintptr_t)ctx_entry;
}
#endif

void ctx_make(struct ctx *c, void *low, void *high, void (*fn)(void *arg), void *arg)
{
	uintptr_t top = (uintptr_t)high & ~(uintptr_t)15;
	struct frame *f;

	(void)low;
#ifdef __x86_64__
	/* After the return into ctx_entry the stack pointer stands at end, which must be aligned.
	 */
	f = (struct frame *)(top - 16 - offsetof(struct frame, end));
#else
	f = (struct frame *)(top - sizeof(struct frame));
#endif
	memset(f, 0, sizeof(*f));
	fill_frame(f, fn, arg);
	c->sp = f;
}

void ctx_switch(struct ctx *from, const struct ctx *to)
{
	ctx_swap(&from->sp, to->sp);
}

#else /* any other machine */

static void enter(unsigned fn_high, unsigned fn_low, unsigned arg_high, unsigned arg_low)
{
	uintptr_t fn = (uintptr_t)((uint64_t)fn_high << 32 | fn_low);
	uintptr_t arg = (uintptr_t)((uint64_t)arg_high << 32 | arg_low);

	((void (*)(void *))fn)((void *)arg);
}

void ctx_make(struct ctx *c, void *low, void *high, void (*fn)(void *arg), void *arg)
{
	uint64_t f = (uintptr_t)fn, a = (uintptr_t)arg;

	memset(c, 0, sizeof(*c));
	getcontext(&c->uc);
	c->uc.uc_stack.ss_sp = low;
	c->uc.uc_stack.ss_size = (size_t)((char *)high - (char *)low);
	c->sp = (char *)high - 1024;
	makecontext(&c->uc, (void (*)(void))enter, 4, (unsigned)(f >> 32), (unsigned)f,
	    (unsigned)(a >> 32), (unsigned)a);
}

void ctx_switch(struct ctx *from, const struct ctx *to)
{
	/* swapcontext() works below this frame: leave it room. */
	from->sp = (char *)__builtin_frame_address(0) - 1024;
	swapcontext(&from->uc, &to->uc);
}

#endif
