/* Concurrency windows: feedback expressions, growth, shrinking, dead destinations. */
// with: src/qmgr/feedback.c
#include "qmgr/feedback.h"
#include "../../lib/tap.h"
#include "base/mem.h"

static struct feedback parse(const char *text)
{
	struct feedback f;
	struct err err;

	if (feedback_parse(&f, str_of(text), &err) < 0)
		f.amount = -1;
	return f;
}

static void test_parse(void)
{
	static const char *const bad[] = {"", "x", "2", "1/", "/2", "1/0", "1/concurrency/2", "-1",
	    "1/sqrt", "1e99", "0x1", "1 2", "9999999999999999999999999999999999999999"};

	ok(parse("1").amount == 1, "1");
	ok(parse("0.25").amount == 0.25, "0.25");
	ok(parse("1/4").amount == 0.25, "1/4");
	ok(parse(" 1 / concurrency ").by == FEEDBACK_CONCURRENCY, "1 / concurrency");
	ok(parse("0.5/sqrt_concurrency").by == FEEDBACK_SQRT, "0.5/sqrt_concurrency");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(parse(bad[i]).amount == -1, bad[i]);
}

static void test_value(void)
{
	struct feedback f = parse("1/concurrency"), s = parse("1/sqrt_concurrency");

	ok(feedback_value(&f, 4) == 0.25, "a fourth at 4");
	ok(feedback_value(&s, 16) > 0.2499 && feedback_value(&s, 16) < 0.2501, "1/sqrt(16)");
	ok(feedback_value(&f, 0) == 1, "no concurrency counts as one");
}

static void test_grow(void)
{
	struct window_limits l = {.initial = 5, .max = 20, .cohorts = 1};
	struct window w;
	int i;

	l.positive = l.negative = parse("1");
	window_init(&w, &l);
	is_int(w.size, 5, "slow start");
	window_good(&w, &l, 0);
	is_int(w.size, 5, "a window that is not used does not grow");
	for (i = 0; i < 30; i++)
		window_good(&w, &l, w.size);
	is_int(w.size, 20, "up to the limit, by one for each success");
	l.positive = parse("1/concurrency");
	window_init(&w, &l);
	for (i = 0; i < 5; i++)
		window_good(&w, &l, w.size);
	is_int(w.size, 6, "one more for a cohort of successes");
	for (i = 0; i < 5; i++)
		window_good(&w, &l, w.size);
	is_int(w.size, 6, "not before the next cohort is complete");
	window_good(&w, &l, w.size);
	is_int(w.size, 7, "which is one larger");
	l.positive = parse("1/3");
	window_init(&w, &l);
	for (i = 0; i < 3; i++)
		window_good(&w, &l, w.size);
	is_int(w.size, 6, "three thirds are one");
	l.initial = 50;
	window_init(&w, &l);
	is_int(w.size, 20, "the limit is above the start");
}

static void test_shrink(void)
{
	struct window_limits l = {.initial = 8, .max = 20, .cohorts = 3};
	struct window w;

	l.positive = parse("1");
	l.negative = parse("1/concurrency");
	window_init(&w, &l);
	ok(!window_bad(&w, &l), "alive after one failure");
	is_int(w.size, 7, "the first failure of a cohort counts at once");
	for (int i = 0; i < 5; i++)
		window_bad(&w, &l);
	is_int(w.size, 7, "the others not");
	l.negative = parse("1");
	l.cohorts = 0;
	for (int i = 0; i < 100; i++)
		ok(!window_bad(&w, &l) || i < 0, "never dead without a limit of cohorts");
	is_int(w.size, 1, "but not below one");
}

/* Sizes after each step, as they were seen with the feedback debug log of Postfix 3.7. */
static void test_observed(void)
{
	static const struct {
		const char *positive, *negative;
		int initial, sizes[14];
	} seen[] = {
	    {"1", "1", 8, {6, 5, 4, 3}},
	    {"1", "0.5", 5, {4, 3, 3}},
	    {"1", "1/concurrency", 5, {4, 4, 4, 3}},
	    {"1", "0.35", 8, {7, 7, 6, 6, 6, 5, 5, 5, 4, 4, 3, 3, 3}},
	    {"1", "0.3", 8, {7, 7, 6, 6, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3}},
	    {"1", "0.15", 8, {7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, 5, 5}},
	    {"0.3", NULL, 3, {3, 3, 4, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7}},
	    {"0.35", NULL, 3, {3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 7, 7, 8}},
	    {"0.4", NULL, 3, {3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 8}},
	    {"1/concurrency", NULL, 2, {2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		struct window_limits l = {.initial = seen[i].initial, .max = 20};
		struct window w;
		bool good = true;

		l.positive = parse(seen[i].positive);
		l.negative = parse(seen[i].negative ? seen[i].negative : "1");
		window_init(&w, &l);
		for (int n = 0; n < 14 && seen[i].sizes[n]; n++) {
			if (seen[i].negative)
				window_bad(&w, &l);
			else
				window_good(&w, &l, w.size);
			good = good && w.size == seen[i].sizes[n];
		}
		ok(good, seen[i].negative ? "shrinks as seen" : "grows as seen");
	}
}

static int failures_until_dead(int initial, const char *negative, int cohorts)
{
	struct window_limits l = {.initial = initial, .max = 20, .cohorts = cohorts};
	struct window w;
	int n = 1;

	l.positive = parse("1");
	l.negative = parse(negative);
	window_init(&w, &l);
	while (!window_bad(&w, &l))
		n++;
	return n;
}

static void test_dead(void)
{
	struct window_limits l = {.initial = 2, .max = 20, .cohorts = 1};
	struct window w;

	is_int(failures_until_dead(1, "1", 1), 1, "with a window of 1, one failure");
	is_int(failures_until_dead(5, "1", 1), 3, "1/5 + 1/3 + 1/2");
	is_int(failures_until_dead(3, "1", 1), 2, "1/3 + 1");
	is_int(failures_until_dead(5, "1/concurrency", 1), 5, "1/5 + 1/4 + 1/4 + 1/4 + 1/3");
	is_int(failures_until_dead(5, "0", 1), 5, "five fifths");
	is_int(failures_until_dead(4, "0", 3), 12, "three cohorts");
	l.positive = l.negative = parse("0");
	window_init(&w, &l);
	window_bad(&w, &l);
	window_good(&w, &l, 2);
	ok(!window_bad(&w, &l), "a success begins the count again");
	ok(window_bad(&w, &l), "until a cohort has failed");
}

int main(void)
{
	test_parse();
	test_value();
	test_grow();
	test_shrink();
	test_observed();
	test_dead();
	return done();
}
