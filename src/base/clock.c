#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

#define SECONDS_AT 23 /* where they stand in "Mon, 23 Nov 2026 01:26:59", whose length is 25 */

static void format(const struct tm *tm, char out[CLOCK_MAIL_DATE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	long east = tm->tm_gmtoff / 60;
	long away = east < 0 ? -east : east;

	snprintf(out, CLOCK_MAIL_DATE, "%.3s, %02d %.3s %04d %02d:%02d:%02d %c%02ld%02ld (%.20s)",
	    days + 3 * tm->tm_wday, tm->tm_mday, months + 3 * tm->tm_mon, tm->tm_year + 1900,
	    tm->tm_hour, tm->tm_min, tm->tm_sec, east < 0 ? '-' : '+', away / 60, away % 60,
	    tm->tm_zone ? tm->tm_zone : "");
}

char *clock_mail_date(time_t t, char out[CLOCK_MAIL_DATE])
{
	/* Within a minute only the seconds change: zones move at whole minutes. */
	static _Thread_local time_t cached_minute = -1;
	static _Thread_local char cached[CLOCK_MAIL_DATE];
	struct tm tm;
	int second = (int)(t % 60);

	if (t < 0 || t / 60 != cached_minute) {
		if (!localtime_r(&t, &tm))
			gmtime_r(&(time_t){0}, &tm);
		format(&tm, out);
		if (t >= 0 && tm.tm_sec == second && out[SECONDS_AT - 1] == ':') {
			cached_minute = t / 60;
			memcpy(cached, out, sizeof(cached));
		}
		return out;
	}
	memcpy(out, cached, sizeof(cached));
	out[SECONDS_AT] = (char)('0' + second / 10);
	out[SECONDS_AT + 1] = (char)('0' + second % 10);
	return out;
}
