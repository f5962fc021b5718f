/* master(8): options, the way into the background, signals. */
#include "base/mem.h"
#include "log/event.h"
#include "log/log.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "master/master.h"
#include "param/dirs.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIVE_INTERVAL (24 * 3600 * 1000)
#define FILES_WANTED   1048576 /* descriptors: each session of a worker needs one or two */

struct master master;

static struct {
	bool debug, debugger, init, start_fg, test, wait;
	int64_t end_after; /* seconds, or -1 */
} opt = {.end_after = -1};

static int ready_fd = -1;   /* tells the waiting parent that all is up */
static struct buf warnings; /* of main.cf */
static struct cond over;
static struct timer announce_timer, end_timer, alive_timer;

static void read_options(int argc, char **argv)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "c:dDe:istvw")) > 0) {
		switch (c) {
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal("%s", err.text);
			break;
		case 'd':
			opt.debug = true;
			break;
		case 'D':
			opt.debugger = true;
			break;
		case 'e':
			if (!str_to_i64(str_of(optarg), &opt.end_after) || opt.end_after < 0)
				log_fatal("bad -e option: %s", optarg);
			break;
		case 'i':
			opt.init = true;
			break;
		case 's':
			opt.start_fg = true;
			break;
		case 't':
			opt.test = true;
			break;
		case 'v':
			log_verbose++;
			break;
		case 'w':
			opt.wait = true;
			break;
		default:
			log_fatal("usage: master [-c config_dir] [-D (debug)] [-d (don't detach "
				  "from terminal)] [-e exit_time] "
				  "[-i] [-s] [-t (test)] [-v] [-w (wait for initialization)]");
		}
	}
	if (optind < argc)
		log_fatal("unexpected argument: %s", argv[optind]);
	if (opt.init && getpid() != 1)
		log_fatal("-i is allowed only for PID 1 process");
	master.foreground = opt.debug || opt.start_fg || opt.init;
}

/* --- the way into the background */

/* In the process the administrator started: ends as the daemon says. */
static void wait_for_daemon(int fd, pid_t pid)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		log_fatal("daemon initialization failure (process %ld)", (long)pid);
	_exit(0);
}

static void null_stdio(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		log_fatal("open /dev/null: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void go_background(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		log_fatal("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		log_fatal("fork: %s", strerror(errno));
	if (pid > 0) {
		close(ends[1]);
		if (opt.wait)
			wait_for_daemon(ends[0], pid);
		_exit(0);
	}
	close(ends[0]);
	ready_fd = ends[1];
	setsid();
	null_stdio();
	log_reopen();
}

/* The first three descriptors have to be something, or a socket might become "standard error". */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
	close_range(3, ~0U, 0);
}

static void raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_max < FILES_WANTED) {
		struct rlimit more = {.rlim_cur = FILES_WANTED, .rlim_max = FILES_WANTED};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

/* --- start */

static void find_owner(void)
{
	const struct passwd *pw;

	master.owner_uid = getuid();
	master.owner_gid = getgid();
	if (geteuid() != 0)
		return;
	pw = getpwnam(conf.mail_owner);
	if (pw == NULL)
		log_fatal("file %s/main.cf: parameter mail_owner: user %s not found", conf_dir(),
		    conf.mail_owner);
	if (pw->pw_uid == 0)
		log_fatal("file %s/main.cf: parameter mail_owner: user %s is privileged",
		    conf_dir(), conf.mail_owner);
	master.owner_uid = pw->pw_uid;
	master.owner_gid = pw->pw_gid;
}

/* Before the log is open. */
static void keep_warning(const char *text)
{
	buf_printf(&warnings, "%s\n", text);
}

static void log_warnings(void)
{
	str rest = buf_view(&warnings), line;

	while (str_word(&rest, "\n", &line))
		log_warn("%.*s", STR_FMT(line));
	buf_free(&warnings);
}

static void configure(void)
{
	char path[PATH_MAX];
	struct err err;

	if (conf_load(keep_warning, &err) < 0)
		log_fatal("%s", err.text);
	conf_warn_unacted(keep_warning);
	log_open("master", master.foreground && *conf.maillog_file == 0);
	master.config_dir = mem_strdup(realpath(conf_dir(), path) ? path : conf_dir());
	master.queue_dir = mem_strdup(conf.queue_directory);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	find_owner();
}

/* Also the log daemon's: nobody reads it, so that what is still to be said goes to the file. */
static void close_all_sockets(void)
{
	struct master_service *s;

	LIST_FOREACH (s, &master.services, struct master_service, node) {
		sockets_close(s, true);
	}
}

static void open_services(void)
{
	struct master_service *s;
	struct err err;

	if (services_load(&master.services, &err) < 0)
		log_fatal("%s", err.text);
	LIST_FOREACH (s, &master.services, struct master_service, node) {
		if (sockets_open(s, NULL, &err) < 0) {
			close_all_sockets();
			log_fatal("%s", err.text);
		}
	}
	log_flush(); /* postlogd's socket is there now */
}

void master_announce(void)
{
	char byte = 1;

	if (master.announced || master.stopping)
		return;
	master.announced = true;
	log_master_started(POSTERN_MAIL_VERSION, conf_dir());
	if (ready_fd >= 0) {
		if (write(ready_fd, &byte, 1) < 0)
			log_warn("the process that started us has gone");
		close(ready_fd);
		ready_fd = -1;
	}
}

static void announce_anyway(void *arg)
{
	(void)arg;
	master_announce();
}

void master_ended(void)
{
	close_all_sockets();
	cond_wake_all(&over);
}

/* --- signals */

static void on_stop(int signum, void *arg)
{
	(void)arg;
	stop_begin(signum);
}

static void on_child(int signum, void *arg)
{
	(void)signum, (void)arg;
	workers_reap();
}

static void on_reload(int signum, void *arg)
{
	(void)signum, (void)arg;
	if (!master.stopping)
		reload_begin();
}

/* The loop ends when nothing is left to wait for, and signals do not count. */
static void keep_alive(void *arg)
{
	(void)arg;
	timer_set(&alive_timer, ALIVE_INTERVAL);
}

static void end_time(void *arg)
{
	(void)arg;
	stop_begin(SIGTERM);
}

static void on_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	loop_signal(SIGCHLD, on_child, NULL);
	loop_signal(SIGTERM, on_stop, NULL);
	loop_signal(SIGINT, on_stop, NULL);
	loop_signal(SIGQUIT, on_stop, NULL);
	loop_signal(SIGHUP, on_reload, NULL);
}

static bool has_qmgr(void)
{
	struct master_service *s;

	LIST_FOREACH (s, &master.services, struct master_service, node) {
		if (s->resident && s->type != SERVICE_DGRAM)
			return true;
	}
	return false;
}

static void master_main(void *arg)
{
	keep_alive(arg);
	services_start();
	if (has_qmgr())
		timer_set(&announce_timer, QMGR_START_WAIT);
	else
		master_announce();
	if (opt.end_after >= 0)
		timer_set(&end_timer, opt.end_after * 1000);
	while (!master.stopping || !list_empty(&master.workers))
		cond_wait(&over, FOREVER);
	exit(0);
}

int main(int argc, char **argv)
{
	struct err err;

	fill_stdio();
	umask(077);
	log_early("master");
	read_options(argc, argv);
	list_init(&master.services);
	list_init(&master.workers);
	configure();
	if (opt.test)
		return lock_is_free() ? 0 : 1;
	environ_clean();
	if (!lock_is_free())
		log_fatal("open lock file pid/master.pid: unable to set exclusive lock: %s",
		    strerror(EAGAIN));
	if (!master.foreground)
		go_background();
	raise_limits();
	if (lock_take(&err) < 0)
		log_fatal("%s", err.text);
	loop_init();
	log_batch(true);
	cond_init(&over);
	timer_init(&announce_timer, announce_anyway, NULL);
	timer_init(&end_timer, end_time, NULL);
	timer_init(&alive_timer, keep_alive, NULL);
	open_services();
	log_warnings();
	on_signals();
	loop_run(master_main, NULL);
	return 0;
}
