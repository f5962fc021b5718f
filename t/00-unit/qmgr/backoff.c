/* Back-off and life time. */
// with: src/qmgr/backoff.c
#include "qmgr/backoff.h"
#include "../../lib/tap.h"

#define S INT64_C(1000000)

static int64_t plain(int64_t age_s, int min, int max)
{
	return backoff_us(age_s * S, min, max, 0, 0) / S;
}

int main(void)
{
	int64_t least = INT64_MAX, most = 0;

	is_int(plain(0, 300, 4000), 300, "a new message waits for the minimum");
	is_int(plain(299, 300, 4000), 300, "still");
	is_int(plain(1000, 300, 4000), 1000, "then its age: the distance doubles");
	is_int(plain(100000, 300, 4000), 4000, "up to the maximum");
	is_int(plain(5, 3, 3), 3, "both the same");
	is_int(plain(5, 10, 3), 10, "a minimum above the maximum");
	is_int(plain(-50, 300, 4000), 300, "an arrival in the future");
	for (uint32_t r = 0; r < 100000; r++) {
		int64_t us = backoff_us(0, 300, 4000, 300, r * 2654435761u);

		least = us < least ? us : least;
		most = us > most ? us : most;
	}
	ok(least >= 300 * S, "never earlier than the minimum");
	ok(most <= 450 * S && most > 440 * S, "spread over half of it");
	ok(backoff_us(0, 1000, 4000, 10, 4000000000u) < 1010 * S, "or over a queue run");
	ok(backoff_expired(0, 0), "life time 0: one attempt");
	ok(!backoff_expired(5 * S - 1, 5), "not yet");
	ok(backoff_expired(5 * S, 5), "now");
	return done();
}
