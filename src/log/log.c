#include "log/log.h"
#include "base/mem.h"
#include "log/log_int.h"
#include "param/param.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TAG_MAX	  100
#define TEXT_MAX  8192 /* longer lines are cut: no analyser reads them, no log server likes them */
#define FLUSH_MS  200
#define FINISH_MS 5000 /* postlogd may be about to be started again */

int log_verbose;

static struct {
	pthread_mutex_t lock; /* pool threads log too */
	char *program, *tag;
	pthread_t main_thread;
	bool opened, to_stderr, own_tag;
	enum log_level stderr_from;
	void (*writer)(const char *tag, str text);
	struct buf text, clean;
} lg = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};

static void set_text(char **p, const char *value)
{
	char *copy = mem_strdup(value);

	free(*p);
	*p = copy;
}

void log_early(const char *program)
{
	set_text(&lg.program, program);
}

void log_finish(void)
{
	log_lock();
	if (lg.opened && lg.writer == NULL)
		out_finish(FINISH_MS);
	log_unlock();
}

void log_open(const char *program, bool also_stderr)
{
	static bool at_exit;
	const char *base = strrchr(program, '/');

	out_check();
	lg.to_stderr = also_stderr;
	if (!lg.own_tag) {
		struct buf tag = {0};

		set_text(&lg.program, program);
		buf_printf(&tag, "%s/%s", conf.syslog_name, base ? base + 1 : program);
		set_text(&lg.tag, buf_text(&tag));
		buf_free(&tag);
	}
	lg.main_thread = pthread_self();
	lg.opened = true;
	out_open();
	if (!at_exit)
		atexit(log_finish);
	at_exit = true;
}

void log_stderr_from(enum log_level level)
{
	lg.stderr_from = level;
}

void log_reopen(void)
{
	out_reset();
}

void log_tag(const char *tag)
{
	struct buf clean = {0};

	log_clean(&clean, str_head(str_of(tag), TAG_MAX));
	set_text(&lg.tag, buf_text(&clean));
	set_text(&lg.program, lg.tag);
	lg.own_tag = true;
	buf_free(&clean);
}

void log_writer(void (*fn)(const char *tag, str text))
{
	lg.writer = fn;
}

void log_lock(void)
{
	pthread_mutex_lock(&lg.lock);
}

void log_unlock(void)
{
	pthread_mutex_unlock(&lg.lock);
}

bool log_on_loop(void)
{
	return pthread_equal(pthread_self(), lg.main_thread);
}

void log_flush(void)
{
	log_lock();
	if (lg.opened && lg.writer == NULL)
		out_catch_up(FLUSH_MS);
	log_unlock();
}

struct buf *log_begin(void)
{
	log_lock();
	buf_clear(&lg.text);
	return &lg.text;
}

static void to_stderr(str text)
{
	fprintf(stderr, "%s: %.*s\n", lg.program ? lg.program : "postern", STR_FMT(text));
}

/* A program that ends before its configuration was read may have nobody at its stderr. */
static void early_fatal(enum log_level level, str text)
{
	struct buf tag = {0};

	buf_printf(&tag, "postfix/%s", lg.program);
	out_open();
	out_line(buf_text(&tag), level, text);
	out_finish(FINISH_MS);
	buf_free(&tag);
}

void log_end(enum log_level level)
{
	static const char *const words[] = {"", "warning: ", "error: ", "fatal: ", "panic: "};
	str text;

	buf_clear(&lg.clean);
	buf_cstr(&lg.clean, words[level]);
	log_clean(&lg.clean, str_head(buf_view(&lg.text), TEXT_MAX));
	text = buf_view(&lg.clean);
	if (!lg.opened || (lg.to_stderr && level >= lg.stderr_from))
		to_stderr(text);
	if (lg.writer)
		lg.writer(lg.tag, text);
	else if (lg.opened)
		out_line(lg.tag, level, text);
	else if (level >= LOG_LEVEL_FATAL && lg.program)
		early_fatal(level, text);
	log_unlock();
}

static void log_va(enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;

	buf_vprintf(log_begin(), fmt, ap);
	log_end(level);
	errno = saved;
}

#define LOG_VA(level, fmt)                                                                         \
	do {                                                                                       \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		log_va(level, fmt, ap);                                                            \
		va_end(ap);                                                                        \
	} while (0)

void log_at(enum log_level level, str text)
{
	buf_str(log_begin(), text);
	log_end(level);
}

void log_info(const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_INFO, fmt);
}

void log_warn(const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_WARN, fmt);
}

void log_error(const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_ERROR, fmt);
}

void log_fatal(const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_FATAL, fmt);
	exit(1);
}

void log_fatal_status(int status, const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_FATAL, fmt);
	exit(status);
}

void log_panic(const char *fmt, ...)
{
	LOG_VA(LOG_LEVEL_PANIC, fmt);
	log_finish();
	abort();
}
