/* Inside src/log: from the formatted text to a destination. */
#ifndef POSTERN_LOG_LOG_INT_H
#define POSTERN_LOG_LOG_INT_H

#include "base/buf.h"
#include "log/log.h"
#include <time.h>

/* Appends text with control characters and bytes that are not UTF-8 as '?'. */
void log_clean(struct buf *out, str text);

/* The module's lock (threads of the pool log too; recursive). */
void log_lock(void);
void log_unlock(void);
bool log_on_loop(void); /* in the thread of the loop, and no forked child of it */
/* Takes the lock and gives the empty scratch for a text; log_end() writes it and releases the lock.
 */
struct buf *log_begin(void);
void log_end(enum log_level level);

/* "Nov 23 01:26:59" in local time, cached. */
#define LOG_STAMP 16
const char *log_stamp(time_t t);

/* The destination: a socket (postlogd or syslog), or a file. text is clean and has its severity
 * word. */
void out_check(void); /* fatal when maillog_file may not be what it is */
void out_open(void);
void out_reset(void); /* forget what is gathered and the socket: in a child */
void out_line(const char *tag, enum log_level level, str text);
void out_flush(int wait_ms);
void out_catch_up(int wait_ms); /* looks for a better destination first */
void out_finish(int wait_ms);	/* waits even for a server that was slow before */

#endif
