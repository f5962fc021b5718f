/* The two clocks: wall time for what people and peers see, monotonic time for everything that
 * waits. */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_wall_us(void); /* microseconds since 1970 */
int64_t clock_mono_us(void); /* microseconds, never goes back */

/* "Mon, 23 Nov 2026 01:26:59 +0000 (UTC)": RFC 5322 3.3 with the zone's name as comment, local
 * time. Returns out. */
#define CLOCK_MAIL_DATE 64
char *clock_mail_date(time_t t, char out[CLOCK_MAIL_DATE]);

#endif
