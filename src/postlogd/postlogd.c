/* postlogd: writes the log file for everybody.
 *
 * Packets of one turn of the loop become one write. The file is opened before privileges are
 * dropped. When it was renamed or removed and we may not open another one ourselves, this process
 * ends, and master starts the next one, which opens the new file: what is still waiting in the
 * socket is not lost. */
#include "base/clock.h"
#include "base/file.h"
#include "log/log.h"
#include "log/postlog.h"
#include "loop/loop.h"
#include "param/param.h"
#include "service/service.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GATHER	       (256 * 1024) /* written at once when this much is gathered */
#define WARN_US	       10000000	    /* between warnings of malformed packets */
#define PERMISSION_MAX 0777

static struct {
	int fd;
	struct stat file; /* as it was opened */
	bool armed;
	int64_t warned_us; /* of a malformed packet */
	struct buf lines;
} lg = {.fd = -1};

static void append(int64_t time, uint32_t pid, str tag, str text)
{
	struct postlog_record r = {time, pid, tag, text};

	postlog_format(&lg.lines, &r);
}

static void write_lines(void)
{
	if (lg.lines.n == 0)
		return;
	/* A disk or terminal that hangs must not hang everybody for ever. */
	alarm((unsigned)conf.postlogd_watchdog_timeout);
	if (file_write_all(lg.fd, lg.lines.p, lg.lines.n) < 0)
		dprintf(
		    STDERR_FILENO, "postlogd: write %s: %s\n", conf.maillog_file, strerror(errno));
	alarm(0);
	buf_clear(&lg.lines);
	if (lg.lines.cap > 2 * GATHER)
		buf_free(&lg.lines);
}

/* Opens the file, or the standard output that "start-fg" left us. */
static int open_file(void)
{
	const char *path = conf.maillog_file;
	mode_t mask;
	int fd;

	if (strcmp(path, "/dev/stdout") == 0)
		return dup(STDOUT_FILENO);
	mask = umask(0);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    (mode_t)strtoul(conf.maillog_file_permissions, NULL, 8));
	umask(mask);
	return fd;
}

/* The file may have been renamed by "postern logrotate". */
static bool has_moved(void)
{
	struct stat st;

	return S_ISREG(lg.file.st_mode) &&
	       (stat(conf.maillog_file, &st) < 0 || st.st_ino != lg.file.st_ino ||
		   st.st_dev != lg.file.st_dev);
}

static void write_turn(void *arg)
{
	int fd;

	(void)arg;
	lg.armed = false;
	if (!has_moved()) {
		write_lines();
		return;
	}
	fd = open_file();
	if (fd >= 0) {
		close(lg.fd);
		lg.fd = fd;
		fstat(fd, &lg.file);
	}
	write_lines();
	if (fd < 0)
		exit(0);
}

static void arm(void)
{
	if (lg.lines.n > GATHER)
		write_lines();
	if (!lg.armed) {
		lg.armed = true;
		loop_defer(write_turn, NULL);
	}
}

/* Our own lines take the same way. */
static void own_line(const char *tag, str text)
{
	append(clock_wall_us() / 1000000, (uint32_t)getpid(), str_of(tag), text);
	if (lg.fd >= 0)
		arm();
}

static void malformed(void)
{
	int64_t now = clock_mono_us();

	if (lg.warned_us && now - lg.warned_us < WARN_US)
		return;
	lg.warned_us = now;
	log_warn("malformed packet at the %s socket", conf.postlog_service_name);
}

static void postlogd_packet(str packet)
{
	struct postlog_record r;
	int got;

	while ((got = postlog_take(&packet, &r)) > 0)
		append(r.time, r.pid, r.tag, r.text);
	if (got < 0)
		malformed();
	arm();
}

static bool allowed(const char *path)
{
	str list = str_of(conf.maillog_file_prefixes), prefix;

	while (str_word(&list, ", \t\r\n", &prefix))
		if (str_starts(str_of(path), prefix))
			return true;
	return false;
}

static void check_permissions(void)
{
	char *end;
	unsigned long mode = strtoul(conf.maillog_file_permissions, &end, 8);

	if (*conf.maillog_file_permissions == 0 || *end || mode > PERMISSION_MAX)
		log_fatal("bad maillog_file_permissions: %s", conf.maillog_file_permissions);
}

static void postlogd_setup(void)
{
	const char *path = conf.maillog_file;

	if (*path == 0)
		log_fatal("maillog_file is empty: there is nothing to write to");
	if (!allowed(path))
		log_fatal("maillog_file %s does not begin with any of maillog_file_prefixes (%s)",
		    path, conf.maillog_file_prefixes);
	check_permissions();
	lg.fd = open_file();
	if (lg.fd < 0 || fstat(lg.fd, &lg.file) < 0)
		log_fatal("open maillog_file %s: %s", path, strerror(errno));
	log_writer(own_line);
}

static void postlogd_drain(void)
{
	write_lines();
}

int main(int argc, char **argv)
{
	static const struct service service = {.program = "postlogd",
	    .setup = postlogd_setup,
	    .datagram = postlogd_packet,
	    .drain = postlogd_drain,
	    .resident = true};

	signal(SIGALRM, SIG_DFL);
	return service_main(argc, argv, &service);
}
