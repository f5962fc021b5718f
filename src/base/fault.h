/* Named fault points: places where a test can make a system call fail (debug builds only).
 *
 * The file named by $POSTERN_FAULTS (read again when it changes) has lines
 *     point[#skip] action [count]
 * action: ENOSPC EIO ENOMEM ... (errno by name), SHORT (a short write), KILL (SIGKILL to oneself),
 * SLEEP=ms. skip: let that many passes succeed first; count: how many passes fail then (default:
 * all). A point that is a time instead takes the action TIME=ms. */
#ifndef POSTERN_BASE_FAULT_H
#define POSTERN_BASE_FAULT_H

#include <stdint.h>

#define FAULT_SHORT (-1)

#ifdef POSTERN_DEBUG
/* 0: go on; FAULT_SHORT: do half of the write, then report ENOSPC; else the errno to fail with. */
int fault_at(const char *point);
/* A length of time in milliseconds, unless a test wants another. */
int64_t fault_time(const char *point, int64_t ms);
#else
static inline int fault_at(const char *point)
{
	(void)point;
	return 0;
}
static inline int64_t fault_time(const char *point, int64_t ms)
{
	(void)point;
	return ms;
}
#endif

#endif
