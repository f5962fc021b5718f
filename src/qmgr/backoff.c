#include "qmgr/backoff.h"

int64_t backoff_us(int64_t age_us, int min_s, int max_s, int spread_s, uint32_t random)
{
	int64_t min = min_s * INT64_C(1000000), max = max_s * INT64_C(1000000);
	int64_t wait = age_us, spread = spread_s * INT64_C(1000000);

	if (wait > max)
		wait = max;
	if (wait < min) /* last: a minimum above the maximum wins */
		wait = min;
	if (spread > wait / 2)
		spread = wait / 2;
	return wait + (spread > 0 ? (int64_t)((uint64_t)random % (uint64_t)spread) : 0);
}

bool backoff_expired(int64_t age_us, int lifetime_s)
{
	return age_us >= lifetime_s * INT64_C(1000000);
}
