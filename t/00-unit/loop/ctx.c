/* The switch between stacks, alone: what it keeps, where it begins. Also run for other machines
 * (t/20-program/cross). */
#include "loop/ctx.h"
#include "../../lib/tap.h"

#define STACK  (64 * 1024)
#define MANY   100
#define ROUNDS 1000

static struct ctx here, there[MANY];
static _Alignas(16) char stacks[MANY][STACK];
static int turns[MANY], aligned[MANY];

struct work {
	int number;
	double sum;
	long long whole;
};
static struct work works[MANY];

static void back(int number)
{
	ctx_switch(&there[number], &here);
}

/* More live values than there are registers for, across many switches. */
static __attribute__((noinline)) void busy(struct work *w)
{
	long long a = w->number, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6,
		  h = a + 7, i = a + 8, j = a + 9;
	double k = w->number, l = k + 1, m = k + 2, n = k + 3, o = k + 4, p = k + 5, q = k + 6,
	       r = k + 7, s = k + 8;

	for (int round = 0; round < ROUNDS; round++) {
		a += 1, b += a & 3, c += b & 5, d ^= c, e += d & 7, f += e & 1, g += f & 3, h ^= g,
		    i += h & 7, j += i & 3;
		k += .5, l += k / 1024, m -= l / 1024, n += m / 1024, o -= n / 1024, p += o / 1024,
		    q -= p / 1024, r += q / 1024, s -= r / 1024;
		turns[w->number]++;
		back(w->number);
	}
	w->whole = a + b + c + d + e + f + g + h + i + j;
	w->sum = k + l + m + n + o + p + q + r + s;
}

/* The same without switches. */
static void alone(const struct work *in, struct work *w)
{
	long long a = in->number, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6,
		  h = a + 7, i = a + 8, j = a + 9;
	double k = in->number, l = k + 1, m = k + 2, n = k + 3, o = k + 4, p = k + 5, q = k + 6,
	       r = k + 7, s = k + 8;

	for (int round = 0; round < ROUNDS; round++) {
		a += 1, b += a & 3, c += b & 5, d ^= c, e += d & 7, f += e & 1, g += f & 3, h ^= g,
		    i += h & 7, j += i & 3;
		k += .5, l += k / 1024, m -= l / 1024, n += m / 1024, o -= n / 1024, p += o / 1024,
		    q -= p / 1024, r += q / 1024, s -= r / 1024;
	}
	w->whole = a + b + c + d + e + f + g + h + i + j;
	w->sum = k + l + m + n + o + p + q + r + s;
}

static __attribute__((noinline)) int deep(int n)
{
	volatile char room[64];

	room[n % 64] = (char)n;
	return n ? deep(n - 1) + room[n % 64] - (char)n + 1 : 0;
}

static void entry(void *arg)
{
	struct work *w = arg;
	_Alignas(16) volatile char block[16];

	aligned[w->number] = ((uintptr_t)block & 15) == 0 && (char *)block > stacks[w->number] &&
			     (char *)block < stacks[w->number] + STACK;
	busy(w);
	turns[w->number] += deep(100) == 100;
	for (;;)
		back(w->number);
}

int main(void)
{
	int good = 0, whole = 0, on_stack = 0;
	double mine = 1.5;

	for (int i = 0; i < MANY; i++) {
		works[i].number = i;
		ctx_make(&there[i], stacks[i], stacks[i] + STACK, entry, &works[i]);
	}
	for (int round = 0; round <= ROUNDS; round++) {
		for (int i = 0; i < MANY; i++)
			ctx_switch(&here, &there[i]);
		mine *= 1.0001;
	}
	for (int i = 0; i < MANY; i++) {
		struct work want;

		alone(&works[i], &want);
		good += turns[i] == ROUNDS + 1;
		whole += works[i].whole == want.whole && works[i].sum == want.sum;
		on_stack += aligned[i];
	}
	is_int(good, MANY, "a hundred contexts take turns");
	is_int(on_stack, MANY, "each on its own stack, which is aligned");
	is_int(whole, MANY, "registers are kept");
	ok(mine > 1.65 && mine < 1.66, "here too");
	return done();
}
