/* When a deferred message is tried again, and when it is tried no more. Plain arithmetic. */
#ifndef POSTERN_QMGR_BACKOFF_H
#define POSTERN_QMGR_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds until the next attempt of a message of this age: the age, so that the distance
 * doubles, between min_s and max_s seconds, and up to spread_s more (at most half of it), chosen by
 * random, so that a site that comes back does not see everything at once. */
int64_t backoff_us(int64_t age_us, int min_s, int max_s, int spread_s, uint32_t random);

/* Whether a message of this age has had its time: lifetime in seconds, 0: one attempt. */
bool backoff_expired(int64_t age_us, int lifetime_s);

#endif
