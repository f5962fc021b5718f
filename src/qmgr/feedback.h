/* How many deliveries go to one destination at a time: a window that grows with success and shrinks
 * with failure (SCHEDULER_README, "concurrency feedback"). Plain arithmetic, nothing else. */
#ifndef POSTERN_QMGR_FEEDBACK_H
#define POSTERN_QMGR_FEEDBACK_H

#include "base/err.h"
#include "base/str.h"

/* "1", "1/4", "1/concurrency", "0.5/sqrt_concurrency" */
struct feedback {
	double amount;
	enum feedback_by { FEEDBACK_CONSTANT, FEEDBACK_CONCURRENCY, FEEDBACK_SQRT } by;
};
int feedback_parse(struct feedback *f, str text, struct err *err);
double feedback_value(const struct feedback *f, int concurrency);

struct window_limits {
	struct feedback positive, negative;
	int initial; /* at least 1 */
	int max;     /* 0: none */
	int cohorts; /* failed pseudo-cohorts until a destination is dead; 0: never */
};
struct window {
	int size;
	double success, failure, cohorts;
};
void window_init(struct window *w, const struct window_limits *l);
/* A delivery ended without trouble with the site; busy: deliveries in flight, with this one. */
void window_good(struct window *w, const struct window_limits *l, int busy);
/* The site could not be reached. True: it counts as dead from now on. */
bool window_bad(struct window *w, const struct window_limits *l);

#endif
