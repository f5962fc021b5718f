/* The mail log: postlogd (maillog_file) or syslog, tag "syslog_name/program", classic lines.
 *
 * Lines that tools depend on are rows of event.tbl and are written with log_<event>() functions
 * made from it (log/event.h). Free text is only for warnings and errors. No secret goes into a log;
 * bytes from outside are printable-ised by this module ('?' for control characters). Nothing here
 * waits. */
#ifndef POSTERN_LOG_LOG_H
#define POSTERN_LOG_LOG_H

#include "base/str.h"

enum log_level {
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL,
	LOG_LEVEL_PANIC
};

/* After conf_load (conf decides where to). program: "smtpd". also_stderr: commands at a terminal.
 */
void log_open(const char *program, bool also_stderr);
/* With also_stderr: only messages of this level and worse go there. */
void log_stderr_from(enum log_level level);
/* Before conf_load: messages go to stderr as "program: text". */
void log_early(const char *program);
void log_reopen(void); /* in a forked child */
/* Replaces the whole tag "syslog_name/program" (postlog -t, "postfix/postfix-script"); copied,
 * without control characters. */
void log_tag(const char *tag);
/* Gather lines and send them together at the next turn of the loop (servers, once their loop is
 * there). A fatal end and exit() send what is gathered. */
void log_batch(bool on);
/* Sends what is gathered, to postlogd if it has come meanwhile; waits a bounded time for a log
 * server that is busy. */
void log_flush(void);
/* The same with more patience, for the end of the process. exit() does it, _exit() does not. */
void log_finish(void);
/* A socket to postlogd; -1 with errno. */
int log_connect(void);
/* Gets the socket from fn, which is like log_connect(): for a process that has given up the right
 * to open it, and may outlive the gateway that it was started beside. fn may block for a moment. */
void log_connector(int (*fn)(void));
/* Lines go to fn instead of a log server: for postlogd itself. fn must not log. */
void log_writer(void (*fn)(const char *tag, str text));
extern int log_verbose; /* -v count */

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* "warning: ..." */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* "error: ..." */
void log_at(enum log_level level, str text); /* any level, and nothing ends: for postlog */
/* The environment is wrong, at start-up: "fatal: ...", exit status 1 (commands: see
 * log_fatal_status). */
void log_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void log_fatal_status(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* A bug of ours: "panic: ...", abort(). */
void log_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
