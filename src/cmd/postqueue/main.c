/* postqueue(1): lists the queue, or asks for delivery now. Runs set-gid, for anybody who may. */
#include "cmd/postqueue/postqueue.h"

#include "ipc/flush.h"
#include "log/log.h"
#include "loop/loop.h"
#include "loop/proc.h"
#include "param/param.h"
#include "queue/queue.h"
#include "table/matchlist.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define FLUSH_WAIT_MS 30000

static int mode; /* the option letter */
static const char *argument;

static void usage(void)
{
	log_fatal_status(EX_UNAVAILABLE, "usage: postqueue -f | postqueue -i queueid | postqueue "
					 "-j | postqueue -p | postqueue -s site");
}

static void options(int argc, char **argv)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "c:fi:jps:v")) > 0) {
		if (c == 'c') {
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal_status(EX_UNAVAILABLE, "%s", err.text);
		} else if (c == 'v') {
			log_verbose += getuid() == 0;
		} else if (c == '?' || mode) {
			usage();
		} else {
			mode = c;
			argument = optarg;
		}
	}
	if (!mode || optind < argc)
		usage();
}

/* --- who may */

static struct matchlist *volatile users,
    *volatile sites; /* until the end: there is no closing them */

static bool is_allowed(const char *param, const char *list, const char *name, uid_t uid)
{
	struct passwd *owner = getpwnam(conf.mail_owner);
	enum table_result r;
	struct err err;

	if (uid == 0 || (owner && owner->pw_uid == uid))
		return true;
	users = matchlist_open(param, list, MATCH_STRING);
	r = matchlist_name(users, str_of(name), &err);
	if (r == TABLE_ERROR)
		log_fatal_status(EX_UNAVAILABLE, "%s: %s", param, err.text);
	return r == TABLE_FOUND;
}

static void check_user(const char *param, const char *list, const char *what)
{
	uid_t uid = getuid();
	struct passwd *who = getpwuid(uid);
	char *name = strdup(who ? who->pw_name : "unknown");

	if (!name || !is_allowed(param, list, name, uid))
		log_fatal_status(EX_UNAVAILABLE, "User %s(%ld) is not allowed to %s the mail queue",
		    name ? name : "unknown", (long)uid, what);
	free(name);
}

/* --- listing */

/* showq's stream, from a showq of our own that looks at the disk. */
static struct stream *showq_by_hand(void)
{
	char *program = NULL;
	const char *argv[5] = {NULL, "-S", "-c", conf_dir(), NULL};
	struct err err;
	int fds[2];

	if (asprintf(&program, "%s/showq", conf.daemon_directory) < 0 || pipe(fds) < 0)
		log_fatal_status(EX_OSERR, "pipe: %s", strerror(errno));
	argv[0] = program;
	if (proc_start(&(struct proc_opts){.argv = argv, .fds = {-1, fds[1], 2}}, &err) < 0)
		log_fatal_status(EX_UNAVAILABLE, "%s: %s", program, err.text);
	close(fds[1]);
	free(program);
	return stream_new(fds[0]);
}

static struct stream *showq(void)
{
	struct stream *s;
	struct buf path = {0};
	struct err err;

	buf_printf(&path, "public/%s", conf.showq_service_name);
	s = stream_connect_unix(
	    buf_text(&path), deadline_in(conf.ipc_timeout * INT64_C(1000)), &err);
	buf_free(&path);
	if (s)
		return s;
	if (getuid() != 0)
		log_fatal_status(EX_UNAVAILABLE,
		    "Queue report unavailable - mail system is down (Connect to the Postfix showq "
		    "service: %s)",
		    strerror(err.code));
	log_warn("Mail system is down -- accessing queue directly (Connect to the Postfix showq "
		 "service: %s)",
	    strerror(err.code));
	return showq_by_hand();
}

static void list(void)
{
	struct stream *s;
	struct err err;
	int r;

	check_user("authorized_mailq_users", conf.authorized_mailq_users, "view");
	s = showq();
	r = showq_read(s, mode == 'j' ? list_json : list_classic, &err);
	if (r == 0 && mode == 'p')
		list_classic_end();
	stream_free(s);
	if (fflush(stdout) != 0 || ferror(stdout))
		log_fatal_status(EX_IOERR, "write error: %s", strerror(errno));
	if (r < 0)
		log_fatal_status(EX_UNAVAILABLE, "%s", err.text);
}

/* --- flushing */

static void check_site(str site)
{
	struct err err;
	enum table_result r;
	bool literal = site.n > 2 && *site.p == '[' && site.p[site.n - 1] == ']';

	if (!literal && !hostname_valid(site, NULL))
		log_fatal_status(EX_UNAVAILABLE,
		    "Cannot flush mail queue - invalid destination: \"%.100s%s\"", site.p,
		    site.n > 100 ? "..." : "");
	sites = matchlist_open("fast_flush_domains", conf.fast_flush_domains, MATCH_DOMAIN);
	r = matchlist_name(sites, site, &err);
	if (r == TABLE_ERROR)
		log_fatal_status(EX_UNAVAILABLE, "fast_flush_domains: %s", err.text);
	if (r == TABLE_NONE)
		log_fatal_status(EX_UNAVAILABLE,
		    "Flush service is not configured for destination \"%.100s\"", site.p);
}

static void flush(void)
{
	str id = STR(""), site = STR("");
	struct err err;

	check_user("authorized_flush_users", conf.authorized_flush_users, "flush");
	if (mode == 'i') {
		id = str_of(argument);
		if (!queue_id_valid(id))
			log_fatal_status(EX_UNAVAILABLE,
			    "Cannot flush queue ID - invalid name: \"%.100s%s\"", argument,
			    id.n > 100 ? "..." : "");
	} else if (mode == 's') {
		site = str_of(argument);
		check_site(site);
	}
	if (flush_queue(id, site, deadline_in(FLUSH_WAIT_MS), &err) == 0)
		return;
	if (err.code == ECONNREFUSED || err.code == ENOENT)
		log_fatal_status(EX_UNAVAILABLE, "Cannot flush mail queue - mail system is down");
	log_fatal_status(EX_UNAVAILABLE, "Cannot flush mail queue - %s", err.text);
}

static void run(void *arg)
{
	(void)arg;
	if (mode == 'p' || mode == 'j')
		list();
	else
		flush();
	exit(0);
}

int main(int argc, char **argv)
{
	struct err err;

	argv[0] = "postqueue"; /* for getopt's messages */
	log_early("postqueue");
	conf_clean_environment();
	options(argc, argv);
	if (conf_load(NULL, &err) < 0)
		log_fatal_status(EX_UNAVAILABLE, "%s", err.text);
	log_open("postqueue", true);
	if (chdir(conf.queue_directory) < 0)
		log_fatal_status(
		    EX_UNAVAILABLE, "chdir %s: %s", conf.queue_directory, strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	loop_init();
	loop_run(run, NULL);
	return 0;
}
