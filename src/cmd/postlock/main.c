/* postlock(1): runs a command while a mailbox is locked the way our delivery agents lock it. */
#include "log/log.h"
#include "mail/boxlock.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static void usage(void)
{
	log_fatal_status(
	    EX_TEMPFAIL, "usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...");
}

static int run(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		log_fatal_status(EX_TEMPFAIL, "fork: %s", strerror(errno));
	if (pid == 0) {
		execvp(argv[0], argv);
		log_fatal("execvp %s: %s", argv[0], strerror(errno));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			log_fatal_status(EX_TEMPFAIL, "wait: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	const char *style = NULL;
	struct boxlock lock;
	struct err err;
	unsigned styles;
	int c, fd, status;

	argv[0] = "postlock"; /* for getopt's messages */
	log_early("postlock");
	while ((c = getopt(argc, argv, "+c:l:v")) > 0) {
		if (c == 'v')
			log_verbose++;
		else if (c == 'l')
			style = optarg;
		else if (c != 'c')
			usage();
		else if (conf_set_dir(optarg, &err) < 0)
			log_fatal_status(EX_TEMPFAIL, "%s", err.text);
	}
	if (argc < optind + 2)
		usage();
	if (conf_load(NULL, &err) < 0)
		log_fatal_status(EX_TEMPFAIL, "%s", err.text);
	log_open("postlock", true);
	style = style ? style : conf.mailbox_delivery_lock;
	if (boxlock_styles(style, &styles, &err) < 0)
		log_fatal_status(EX_TEMPFAIL,
		    "unknown mailbox_delivery_lock value \"%s\" in \"%s\"", style, style);
	fd = open(argv[optind], O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_fatal_status(EX_TEMPFAIL, "open file %s: cannot %s: %s", argv[optind],
		    errno == ENOENT ? "create file exclusively" : "open file", strerror(errno));
	if (boxlock_take(&lock, argv[optind], fd, styles, &err) < 0)
		log_fatal_status(EX_TEMPFAIL, "open file %s: %s", argv[optind], err.text);
	status = run(argv + optind + 1);
	boxlock_release(&lock);
	return status;
}
