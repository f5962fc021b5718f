#include "qmgr/feedback.h"

#include <stdlib.h>

/* A non-negative decimal number, all of s. */
static bool number(str s, double *out)
{
	char text[32], *end;

	s = str_trim(s);
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.'))
			return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	*out = strtod(text, &end);
	return *end == 0;
}

int feedback_parse(struct feedback *f, str text, struct err *err)
{
	ptrdiff_t slash = str_chr(text, '/');
	str above = slash < 0 ? text : str_head(text, (size_t)slash);
	double divisor;

	f->by = FEEDBACK_CONSTANT;
	if (!number(above, &f->amount))
		return err_set(err, "bad concurrency feedback \"%.*s\"", STR_FMT(text));
	if (slash >= 0) {
		str below = str_trim(str_from(text, (size_t)slash + 1));

		if (str_eq(below, STR("concurrency")))
			f->by = FEEDBACK_CONCURRENCY;
		else if (str_eq(below, STR("sqrt_concurrency")))
			f->by = FEEDBACK_SQRT;
		else if (number(below, &divisor) && divisor > 0)
			f->amount /= divisor;
		else
			return err_set(err, "bad concurrency feedback \"%.*s\"", STR_FMT(text));
	}
	if (f->amount > 1)
		return err_set(
		    err, "concurrency feedback \"%.*s\" is not in the range 0 to 1", STR_FMT(text));
	return 0;
}

/* Square root of a number from 1 up (Newton's way; libm is not linked for one function). */
static double root(double n)
{
	double x = n;

	for (int i = 0; i < 40; i++)
		x = (x + n / x) / 2;
	return x;
}

double feedback_value(const struct feedback *f, int concurrency)
{
	double n = concurrency < 1 ? 1 : concurrency;

	switch (f->by) {
	case FEEDBACK_CONCURRENCY:
		return f->amount / n;
	case FEEDBACK_SQRT:
		return f->amount / root(n);
	default:
		return f->amount;
	}
}

void window_init(struct window *w, const struct window_limits *l)
{
	*w = (struct window){.size = l->max > 0 && l->initial > l->max ? l->max : l->initial};
}

/* The window changes when the sum comes within half a step of the whole number: sums of fractions
 * such as three times 1/3 cannot miss it by a rounding error. */
void window_good(struct window *w, const struct window_limits *l, int busy)
{
	double step;

	w->cohorts = 0;
	/* A window that is not used does not grow: a later failure would be felt too late. */
	if (w->size >= busy + l->initial)
		return;
	step = feedback_value(&l->positive, w->size);
	w->success += step;
	while (w->success + step / 2 >= 1) {
		w->size++;
		w->success -= 1;
		w->failure = 0;
	}
	if (l->max > 0 && w->size > l->max)
		w->size = l->max;
}

#define NEARLY 1e-6

bool window_bad(struct window *w, const struct window_limits *l)
{
	double step = feedback_value(&l->negative, w->size);

	w->cohorts += 1.0 / (w->size < 1 ? 1 : w->size);
	if (l->cohorts > 0 && w->cohorts + NEARLY >= l->cohorts)
		return true;
	w->failure -= step;
	while (w->failure < step / 2) {
		w->size--;
		w->failure += 1;
		w->success = 0;
	}
	if (w->size < 1)
		w->size = 1;
	return false;
}
