#include "filters/smtpfilter/smtpfilter.h"

#include "base/mem.h"
#include "dns/dns.h"
#include "log/log.h"
#include "loop/loop.h"
#include "param/param.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 100

struct setup setup = {
    .check = {.seconds = 60, .directory = "/tmp", .errors = -1},
};
static const char *user, *listen_at;
static long sessions_max = 100, checks_max = 10, sessions;
static struct watch *watch;
static struct scope clients;

static void usage(void)
{
	log_fatal("usage: smtpfilter [-r] [-c check] [-d directory] [-n sessions] [-p checks] [-t "
		  "seconds] [-u user] listen next");
}

static long number(const char *text)
{
	int64_t n;

	if (!str_to_i64(str_of(text), &n) || n < 1 || n > 1000000)
		log_fatal("bad number: %s", text);
	return (long)n;
}

static void option(int c)
{
	switch (c) {
	case 'c':
		setup.check.argv = check_command(optarg);
		break;
	case 'd':
		setup.check.directory = optarg;
		break;
	case 'n':
		sessions_max = number(optarg);
		break;
	case 'p':
		checks_max = number(optarg);
		break;
	case 'r':
		setup.check.replaces = true;
		break;
	case 't':
		setup.check.seconds = (int)number(optarg);
		break;
	case 'u':
		user = optarg;
		break;
	default:
		usage();
	}
}

static void parse(int argc, char **argv)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "+c:d:n:p:rt:u:")) > 0)
		option(c);
	if (argc - optind != 2)
		usage();
	listen_at = argv[optind];
	setup.next_name = argv[optind + 1];
	if (endpoint_parse(&setup.next, str_of(setup.next_name), &err) < 0)
		log_fatal("%s: %s", setup.next_name, err.text);
	if (user && !getpwnam(user))
		log_fatal("unknown user %s", user);
	if (!user && geteuid() == 0)
		log_fatal("not as root: name a user of its own with -u");
	if (access(setup.check.directory, X_OK) < 0)
		log_fatal("directory %s: %s", setup.check.directory, strerror(errno));
	sema_init(&setup.checks, checks_max);
}

static void become_user(void)
{
	const struct passwd *pw = user ? getpwnam(user) : NULL;

	if (pw && geteuid() == 0 &&
	    (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0))
		log_fatal("cannot become user %s: %s", user, strerror(errno));
	if (geteuid() == 0)
		log_fatal("not as root: user %s is root", user);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* --- serving */

static void serve(void *arg)
{
	struct stream *client = arg;

	session_serve(client);
	stream_free(client);
	if (sessions-- == sessions_max && watch)
		watch_pause(watch, false);
}

static void on_client(int fd, void *arg)
{
	(void)arg;
	while (sessions < sessions_max) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0)
			return;
		if (++sessions == sessions_max)
			watch_pause(watch, true);
		co_start(&clients, "client", serve, stream_new(client));
	}
}

static int listen_inet_at(const struct endpoint *e, struct err *err)
{
	struct hostaddr *list;
	struct arena a = {0};
	size_t n = 0;
	int fd = -1, port = endpoint_port(e->port, err);

	if (port >= 0 && dns_host_lookup(arena_cstr(&a, e->host.n ? e->host : STR("127.0.0.1")),
			     AF_UNSPEC, &a, &list, &n, err) == DNS_OK) {
		hostaddr_set_port(&list[0], (uint16_t)port);
		fd = listen_inet(&list[0], BACKLOG, err);
	}
	arena_free(&a);
	return fd;
}

static int listen_somewhere(void)
{
	struct endpoint e;
	struct err err;
	int fd = -1;

	if (endpoint_parse(&e, str_of(listen_at), &err) == 0)
		fd = e.is_unix ? listen_unix(str_dup(e.path), 0666, BACKLOG, &err)
			       : listen_inet_at(&e, &err);
	if (fd < 0)
		log_fatal("%s: %s", listen_at, err.text);
	return fd;
}

/* Sessions end where they are: what no reply was given to comes again. */
static void on_stop(int signum, void *arg)
{
	(void)signum;
	(void)arg;
	loop_stop();
}

static void serve_stdin(void)
{
	struct stream *client;

	become_user();
	client = stream_new(dup(STDIN_FILENO));
	session_serve(client);
	stream_free(client);
	loop_stop();
}

static void run(void *arg)
{
	(void)arg;
	scope_init(&clients);
	if (strcmp(listen_at, "-") == 0) {
		serve_stdin();
		return;
	}
	watch = watch_readable(listen_somewhere(), on_client, NULL);
	become_user();
	loop_signal(SIGTERM, on_stop, NULL);
	loop_signal(SIGINT, on_stop, NULL);
	log_info("started, from %s to %s", listen_at, setup.next_name);
}

/* Under spawn all three are the connection: the client is told nothing of ours. */
static bool client_at_stderr(void)
{
	struct stat in, out;

	return fstat(STDIN_FILENO, &in) == 0 && fstat(STDERR_FILENO, &out) == 0 &&
	       S_ISSOCK(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

int main(int argc, char **argv)
{
	bool at_client = client_at_stderr();
	struct err err;

	log_early("smtpfilter");
	signal(SIGPIPE, SIG_IGN);
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	/* Whoever starts it learns at once why it does not start. */
	if (at_client)
		log_open("smtpfilter", false);
	parse(argc, argv);
	if (!at_client)
		log_open("smtpfilter", isatty(STDERR_FILENO));
	if (user && geteuid() == 0)
		logs_keep(getpwnam(user)->pw_uid);
	loop_init();
	loop_run(run, NULL);
	return 0;
}
