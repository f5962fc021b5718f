/* sendmail, mailq, newaliases: the name says what is meant. */
#include "cmd/sendmail/sendmail.h"

#include "log/log.h"
#include "loop/loop.h"
#include "mail/submit.h"
#include "param/param.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static struct options options;
static int status = EX_SOFTWARE;

static void submit(void *arg)
{
	(void)arg;
	status = message_submit(&options);
	loop_stop();
}

/* -C has to be known before the configuration is read; programs that we run inherit it. */
static void find_config(int argc, char **argv)
{
	struct err err;

	for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *dir = argv[i] + 2;
		struct stat st;
		char *path, *slash;

		if (argv[i][1] != 'C')
			continue;
		if (!*dir && !(dir = argv[i + 1]))
			break;
		path = mem_strdup(dir);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (slash = strrchr(path, '/')))
			*slash = 0;
		if (conf_set_dir(path, &err) < 0)
			log_fatal_status(EX_USAGE, "%s", err.text);
		setenv("MAIL_CONFIG", path, 1);
		free(path);
	}
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	struct err err;

	name = name ? name + 1 : argv[0];
	log_early(name);
	signal(SIGPIPE, SIG_IGN);
	find_config(argc, argv);
	if (conf_load(NULL, &err) < 0)
		log_fatal_status(EX_CONFIG, "%s", err.text);
	log_open(name, true);
	if (strcmp(name, "mailq") == 0)
		options.mode = MODE_QUEUE;
	else if (strcmp(name, "newaliases") == 0)
		options.mode = MODE_ALIASES;
	options_parse(&options, argc, argv);
	if (options.mode != MODE_MAIL && options.mode != MODE_VERIFY)
		mode_exec(&options);
	submit_check_user();
	loop_init();
	loop_run(submit, NULL);
	return status;
}
