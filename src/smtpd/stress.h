/* Overload behaviour: parameters whose defaults depend on $stress, and the time limits of a
 * request. */
#ifndef POSTERN_SMTPD_STRESS_H
#define POSTERN_SMTPD_STRESS_H

#include "loop/stream.h"

enum stress_param {
	STRESS_TIMEOUT,
	STRESS_HARD_ERRORS,
	STRESS_JUNK,
	STRESS_DEADLINE,
	STRESS_COUNT
};

/* Evaluates the parameters both ways, with and without stress. */
void stress_setup(void);
/* True while nearly all of the service's sessions are taken (or $stress is set in the
 * configuration). */
bool stress_now(void);
/* The parameter's value now: seconds or a count. */
int stress_value(enum stress_param p);

/* smtpd_per_request_deadline, smtpd_min_data_rate: a request has smtpd_timeout seconds in all, and
 * each smtpd_min_data_rate bytes of content earn one more, up to smtpd_timeout from now. */
void stress_request_begins(struct stream *io);
void stress_request_ends(struct stream *io);
void stress_request_data(struct stream *io, size_t bytes);

#endif
