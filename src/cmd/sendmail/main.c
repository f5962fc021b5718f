/* sendmail, mailq, newaliases: the name says what is meant. */
#include "cmd/sendmail/sendmail.h"

#include "log/log.h"
#include "loop/loop.h"
#include "mail/submit.h"
#include "param/param.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
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

void fail(const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_fatal_status(EX_TEMPFAIL, "%s", text);
}

/* -C, a directory or the main.cf in it, has to be known before the configuration is read; programs
 * that we run inherit it. */
static void find_config(int argc, char **argv)
{
	const char *dir = options_config(argc, argv);
	struct err err;
	struct stat st;
	char *path, *slash;

	if (!dir)
		return;
	path = mem_strdup(dir);
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		slash = strrchr(path, '/');
		if (slash)
			*slash = 0;
		else
			strcpy(path, ".");
	}
	if (conf_set_dir(path, &err) < 0)
		fail("%s", err.text);
	free(path);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	struct err err;

	name = name ? name + 1 : argv[0];
	argv[0] = (char *)name; /* for getopt's messages */
	log_early(name);
	signal(SIGPIPE, SIG_IGN);
	find_config(argc, argv);
	if (conf_load(NULL, &err) < 0)
		fail("%s", err.text);
	log_open(name, true);
	if (strcmp(name, "mailq") == 0)
		options.mode = MODE_QUEUE;
	else if (strcmp(name, "newaliases") == 0)
		options.mode = MODE_ALIASES;
	options_parse(&options, argc, argv);
	log_verbose =
	    (options.verbose > 1 ? options.verbose - 1 : 0) + (getenv("MAIL_VERBOSE") != NULL);
	if (options.mode != MODE_MAIL)
		mode_exec(&options);
	submit_check_user();
	loop_init();
	loop_run(submit, NULL);
	return status;
}
