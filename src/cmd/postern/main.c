/* postern(1), also installed as postfix(1). */
#include "base/mem.h"
#include "cmd/postern/postern.h"
#include "log/log.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct control control;
static const char *name; /* as it was called */

static const struct action {
	const char *name;
	int (*run)(void);
	bool has_arguments;
} actions[] = {
    {"start", control_start, false},
    {"start-fg", control_start_fg, false},
    {"stop", control_stop, false},
    {"quick-stop", control_stop, false},
    {"abort", control_abort, false},
    {"reload", control_reload, false},
    {"status", control_status, false},
    {"flush", control_flush, false},
    {"check", control_check, false},
    {"logrotate", control_logrotate, false},
    {"set-permissions", control_set_permissions, true},
    {"upgrade-configuration", control_upgrade_configuration, true},
};

static const struct action *find_action(const char *wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, wanted) == 0)
			return &actions[i];
	return NULL;
}

/* Ends the program. what: what was wrong, or NULL. */
static void usage(const char *what)
{
	struct buf text = {0};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (!str_starts(str_of(actions[i].name), STR("quick-")))
			buf_printf(&text, "%s%s%s", text.n ? ", " : "", actions[i].name,
			    actions[i].has_arguments ? " [name=value ...]" : "");
	if (what)
		log_fatal("unknown command: '%s'; the commands are: %s", what, buf_text(&text));
	log_fatal(
	    "usage: %s [-c config_dir] [-Dv] command; the commands are: %s", name, buf_text(&text));
}

static void read_options(int argc, char **argv)
{
	struct err err;
	int c;

	while ((c = getopt(argc, argv, "+c:Dv")) > 0) {
		switch (c) {
		case 'c':
			if (conf_set_dir(optarg, &err) < 0)
				log_fatal("%s", err.text);
			break;
		case 'D':
			control.debugger = true;
			break;
		case 'v':
			control.verbose++;
			log_verbose++;
			break;
		default:
			usage(NULL);
		}
	}
}

/* Messages are those of "postfix-script", the name tools know. */
static void open_log(void)
{
	struct buf tag = {0};

	/* Good news is for people, not for the mail that cron makes of what it reads. */
	log_open("postfix-script", true);
	if (!isatty(STDERR_FILENO))
		log_stderr_from(LOG_LEVEL_WARN);
	buf_printf(&tag, "%s/postfix-script", conf.syslog_name);
	log_tag(buf_text(&tag));
	buf_free(&tag);
}

/* Root may do everything. Somebody else may run an instance of his own: one whose queue is his. */
static void check_user(void)
{
	struct stat st;

	if (geteuid() == 0)
		return;
	if (stat(conf.queue_directory, &st) < 0 ? errno == ENOENT : st.st_uid == geteuid())
		return;
	log_error("to submit mail, use the Postfix sendmail command");
	log_fatal("the postfix command is reserved for the superuser");
}

static void unused_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct action *action;
	struct err err;

	unused_descriptors();
	umask(022);
	name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	argv[0] = (char *)(uintptr_t)name; /* for getopt's messages */
	log_early(name);
	read_options(argc, argv);
	if (optind >= argc)
		usage(NULL);
	action = find_action(argv[optind]);
	if (action == NULL)
		usage(argv[optind]);
	control.args = argv + optind + 1;
	control.nargs = argc - optind - 1;
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	open_log();
	if (control.nargs > 0 && !action->has_arguments)
		log_fatal("%s takes no arguments", action->name);
	check_user();
	setenv("MAIL_CONFIG", conf_dir(), 1);
	return action->run();
}
