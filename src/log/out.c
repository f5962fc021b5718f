/* Where log lines go: the socket of postlogd or of syslogd, or the log file itself when postlogd is
 * not there and we may. Lines are gathered as records and sent by out_flush(); a log server that is
 * slow holds us up for a bounded time only, then lines are counted as lost. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/names.h"
#include "log/log_int.h"
#include "log/postlog.h"
#include "loop/loop.h"
#include "param/param.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define GATHER_SOFT (16 * 1024)	 /* send at once when this much is gathered */
#define GATHER_MAX  (256 * 1024) /* lines beyond that are lost */
#define SEND_BATCH  32
#define RETRY_MS    5
#define WAIT_ONE_MS                                                                                \
	100		/* how long a program without batching waits for the log server, per line  \
			 */
#define WAIT_FULL_MS 10 /* the same for a server whose buffer is full */

enum kind { OUT_NONE, OUT_POSTLOG, OUT_SYSLOG, OUT_FILE };

static struct {
	enum kind kind;
	int fd;
	pid_t pid;
	int facility;
	bool batch, armed;
	bool stalled;	  /* the log server did not take the last line in time: do not wait again */
	int64_t tried_us; /* when a connection was tried last */
	struct buf bytes; /* gathered records */
	size_t *ends, nends, ends_cap;
	unsigned long lost;
	struct timer retry;
} out = {.fd = -1};

static const struct name_row facilities[] = {
    {"auth", LOG_AUTH},
    {"authpriv", LOG_AUTHPRIV},
    {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON},
    {"ftp", LOG_FTP},
    {"kern", LOG_KERN},
    {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
    {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},
    {"news", LOG_NEWS},
    {"security", LOG_AUTH},
    {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},
    {"uucp", LOG_UUCP},
    {NULL, 0},
};

const char *log_stamp(time_t t)
{
	static const char months[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	static time_t minute = -1;
	static char stamp[LOG_STAMP + 24];
	static const char digits[] = "0123456789";
	int second;
	struct tm tm;

	if (t < 0 || t > UINT32_MAX) /* no time that a packet may have */
		t = 0;
	second = (int)(t % 60);
	if (t - second != minute && localtime_r(&t, &tm)) {
		snprintf(stamp, sizeof stamp, "%s %2d %02d:%02d:%02d", months[tm.tm_mon],
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		minute = t - second;
	}
	stamp[13] = digits[second / 10];
	stamp[14] = digits[second % 10];
	return stamp;
}

static bool uses_file(void)
{
	return conf.maillog_file && *conf.maillog_file;
}

static int open_socket(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof sa.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The queue directory's name may be longer than a socket address, and is not there in a chroot. */
int log_connect(void)
{
	struct buf path = {0};
	int fd, dir;

	buf_printf(&path, "%s/public/%s", conf.queue_directory, conf.postlog_service_name);
	fd = open_socket(buf_text(&path));
	if (fd < 0 && errno == ENAMETOOLONG &&
	    (dir = open(conf.queue_directory, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0) {
		buf_clear(&path);
		buf_printf(&path, "/proc/self/fd/%d/public/%s", dir, conf.postlog_service_name);
		fd = open_socket(buf_text(&path));
		close(dir);
	} else if (fd < 0 && errno == ENOENT && access(conf.queue_directory, F_OK) < 0) {
		buf_clear(&path);
		buf_printf(&path, "public/%s", conf.postlog_service_name);
		fd = open_socket(buf_text(&path));
	}
	buf_free(&path);
	return fd;
}

static int (*open_postlog)(void) = log_connect;

void log_connector(int (*fn)(void))
{
	log_lock();
	open_postlog = fn;
	log_unlock();
}

static bool file_allowed(void)
{
	str list = str_of(conf.maillog_file_prefixes), prefix;

	while (str_word(&list, ", \t\r\n", &prefix))
		if (str_starts(str_of(conf.maillog_file), prefix))
			return true;
	return false;
}

void out_check(void)
{
	if (uses_file() && !file_allowed())
		log_fatal(
		    "maillog_file value '%s' does not match any prefix in maillog_file_prefixes",
		    conf.maillog_file);
}

/* The log file itself: for commands while the system is down. Never our standard output: that is
 * somebody else's. Nor for whoever runs a set-gid program, but root; who has put on
 * somebody else's rights for a while (postmap) is not root. */
static int open_file(void)
{
	gid_t group = getegid();
	int fd;

	if (!file_allowed() || str_starts(str_of(conf.maillog_file), STR("/dev/")) ||
	    (group != getgid() && (geteuid() != 0 || setegid(getgid()) != 0)))
		return -1;
	fd = open(conf.maillog_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    (mode_t)strtoul(conf.maillog_file_permissions, NULL, 8));
	if (group != getegid() && setegid(group) != 0)
		abort(); /* cannot be: we are root */
	return fd;
}

static void out_close(void)
{
	if (out.fd >= 0)
		close(out.fd);
	out.fd = -1;
	out.kind = OUT_NONE;
}

static bool try_open(enum kind kind, int (*opener)(void))
{
	out.fd = opener();
	out.kind = out.fd < 0 ? OUT_NONE : kind;
	return out.fd >= 0;
}

static int open_syslog(void)
{
	return open_socket("/dev/log");
}

/* Nobody takes what is gathered. */
static void forget(void)
{
	out.lost += out.nends;
	out.nends = 0;
	buf_clear(&out.bytes);
}

static void record_end(void)
{
	if (out.nends == out.ends_cap) {
		out.ends_cap = out.ends_cap ? out.ends_cap * 2 : 64;
		out.ends = mem_realloc(out.ends, out.ends_cap * sizeof *out.ends);
	}
	out.ends[out.nends++] = out.bytes.n;
}

static void record_syslog(const struct postlog_record *r, enum log_level level)
{
	static const int severities[] = {LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_CRIT};
	char head[64];
	int n = snprintf(head, sizeof head, "<%d>%s ", out.facility | severities[level],
	    log_stamp((time_t)r->time));

	buf_add(&out.bytes, head, (size_t)n);
	buf_str(&out.bytes, r->tag);
	n = snprintf(head, sizeof head, "[%u]: ", r->pid);
	buf_add(&out.bytes, head, (size_t)n);
	buf_str(&out.bytes, r->text);
}

static void record_put(const struct postlog_record *r, enum log_level level)
{
	if (out.kind == OUT_SYSLOG)
		record_syslog(r, level);
	else if (out.kind == OUT_FILE)
		postlog_format(&out.bytes, r);
	else
		postlog_put(&out.bytes, r);
	record_end();
}

static void record_add(const char *tag, enum log_level level, str text)
{
	struct postlog_record r = {clock_wall_us() / 1000000, (uint32_t)out.pid, str_of(tag), text};

	record_put(&r, level);
}

/* What was gathered for postlogd goes to the destination that we have now. */
static void convert(void)
{
	struct buf old = out.bytes;
	struct postlog_record r;
	str rest = buf_view(&old);

	out.bytes = (struct buf){0};
	out.nends = 0;
	while (postlog_take(&rest, &r) > 0)
		record_put(
		    &r, str_starts(r.text, STR("warning: ")) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO);
	buf_free(&old);
}

/* Without a destination lines are gathered as for postlogd: it may come. */
static bool for_postlog(enum kind kind)
{
	return kind == OUT_POSTLOG || kind == OUT_NONE;
}

static void drop_sent(size_t n)
{
	size_t bytes;

	if (n == 0)
		return;
	bytes = out.ends[n - 1];
	buf_drop(&out.bytes, bytes);
	for (size_t i = n; i < out.nends; i++)
		out.ends[i - n] = out.ends[i] - bytes;
	out.nends -= n;
}

static int write_file(void)
{
	int r = file_write_all(out.fd, out.bytes.p, out.bytes.n);

	drop_sent(out.nends);
	return r;
}

static void reconnect(void)
{
	enum kind before = out.kind;

	if (before == OUT_FILE)
		write_file();
	out_close();
	out.tried_us = clock_mono_us();
	if (!(uses_file() &&
		(try_open(OUT_POSTLOG, open_postlog) || try_open(OUT_FILE, open_file))))
		try_open(OUT_SYSLOG, open_syslog);
	if (out.nends == 0 || out.kind == before)
		return;
	if (!for_postlog(before))
		forget();
	else if (!for_postlog(out.kind))
		convert();
}

static enum kind first_choice(void)
{
	return uses_file() ? OUT_POSTLOG : OUT_SYSLOG;
}

void out_open(void)
{
	const char *facility = conf.syslog_facility ? conf.syslog_facility : "mail";

	out.facility = (int)names_value(facilities, str_of(facility), LOG_MAIL);
	out.pid = getpid();
	reconnect();
	out.lost = 0;
}

void out_reset(void)
{
	out.nends = 0;
	buf_clear(&out.bytes);
	out.lost = 0;
	out.batch = out.armed = false;
	out.pid = getpid();
	reconnect();
}

/* How many of the gathered records from the first on make the next datagram. */
static size_t packet_records(size_t first)
{
	size_t from = first ? out.ends[first - 1] : 0, last = first + 1;

	if (out.kind == OUT_POSTLOG)
		while (last < out.nends && out.ends[last] - from <= POSTLOG_PACKET_MAX)
			last++;
	return last - first;
}

/* Sends one batch of datagrams from record *first on and moves *first behind what was taken. */
static int send_batch(size_t *first)
{
	struct mmsghdr m[SEND_BATCH] = {0};
	struct iovec v[SEND_BATCH];
	size_t count[SEND_BATCH], next = *first;
	unsigned n = 0;
	int sent;

	while (n < SEND_BATCH && next < out.nends) {
		size_t from = next ? out.ends[next - 1] : 0;

		count[n] = packet_records(next);
		next += count[n];
		v[n] = (struct iovec){out.bytes.p + from, out.ends[next - 1] - from};
		m[n].msg_hdr.msg_iov = &v[n];
		m[n].msg_hdr.msg_iovlen = 1;
		n++;
	}
	sent = sendmmsg(out.fd, m, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EMSGSIZE) {
		out.lost += count[0];
		*first += count[0];
		return 0;
	}
	for (int i = 0; i < sent; i++)
		*first += count[i];
	return sent < 0 ? -1 : 0;
}

static bool wait_writable(int64_t until_us)
{
	struct pollfd p = {out.fd, POLLOUT, 0};
	int64_t left = until_us - clock_mono_us();

	return left > 0 && poll(&p, 1, (int)(left / 1000) + 1) > 0;
}

void out_flush(int wait_ms)
{
	int64_t until_us = clock_mono_us() + wait_ms * 1000;
	bool again = true;
	size_t done = 0;

	while (out.nends > 0 && out.kind != OUT_NONE) {
		if (out.kind == OUT_FILE) {
			write_file();
			return;
		}
		if (done == out.nends)
			break;
		if (send_batch(&done) == 0) {
			out.stalled = false;
			continue;
		}
		if (errno == EAGAIN || errno == ENOBUFS) {
			if (!out.stalled && wait_writable(until_us))
				continue;
			out.stalled = out.stalled || wait_ms > 0;
			break;
		}
		if (errno == EINTR)
			continue;
		drop_sent(done);
		done = 0;
		if (again)
			reconnect();
		else
			out_close();
		again = false;
	}
	drop_sent(done);
}

void out_catch_up(int wait_ms)
{
	if (out.kind != first_choice())
		reconnect();
	out_flush(wait_ms);
}

void out_finish(int wait_ms)
{
	out.stalled = false;
	out_catch_up(wait_ms);
}

static void retry_now(void *arg);

static void batch_flush(void)
{
	out_flush(0);
	if (out.nends > 0 && out.batch) {
		if (out.retry.fn == NULL)
			timer_init(&out.retry, retry_now, NULL);
		timer_set(&out.retry, RETRY_MS);
	} else {
		out.armed = false;
	}
}

static void retry_now(void *arg)
{
	(void)arg;
	log_lock();
	batch_flush();
	log_unlock();
}

void log_batch(bool on)
{
	log_lock();
	if (!on)
		out_flush(WAIT_ONE_MS);
	out.batch = on;
	log_unlock();
}

static void report_lost(const char *tag)
{
	struct buf text = {0};

	if (out.lost == 0 || out.kind == OUT_NONE)
		return;
	buf_printf(
	    &text, "warning: %lu log lines were lost: the log server did not take them", out.lost);
	out.lost = 0;
	record_add(tag, LOG_LEVEL_WARN, buf_view(&text));
	buf_free(&text);
}

void out_line(const char *tag, enum log_level level, str text)
{
	if (out.kind != first_choice() && clock_mono_us() - out.tried_us > 1000000) {
		out_flush(0);
		reconnect();
	}
	if (out.bytes.n > GATHER_MAX)
		out_flush(WAIT_FULL_MS);
	if (out.kind == OUT_NONE ? !uses_file() || out.bytes.n > GATHER_SOFT
				 : out.bytes.n > GATHER_MAX) {
		out.lost++;
		return;
	}
	report_lost(tag);
	record_add(tag, level, text);
	if (out.kind == OUT_NONE)
		return;
	if (!out.batch || !log_on_loop()) {
		out_flush(WAIT_ONE_MS); /* the rest goes with later lines, or at the end */
		if (!out.batch)
			return;
	} else if (out.bytes.n > GATHER_SOFT) {
		out_flush(0);
	}
	if (out.nends > 0 && !out.armed && log_on_loop()) {
		out.armed = true;
		loop_defer(retry_now, NULL);
	}
}
