/* postkick(1): sends a request to a service's socket. */
#include "log/log.h"
#include "param/param.h"
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void usage(void)
{
	log_fatal("usage: postkick [-c config_dir] [-v] class service request");
}

/* A socket below the queue directory, not any path. */
static bool is_service(const char *class, const char *name)
{
	return (strcmp(class, "public") == 0 || strcmp(class, "private") == 0) && *name &&
	       !strchr(name, '/');
}

static void unreachable(char **service, const char *what, const char *path)
{
	log_warn("%s %s: %s", what, path, strerror(errno));
	log_warn("Cannot contact class %s service %s - perhaps the mail system is down", service[0],
	    service[1]);
	exit(1);
}

int main(int argc, char **argv)
{
	struct buf path = {0};
	struct err err;
	int c;

	argv[0] = "postkick"; /* for getopt's messages */
	log_early("postkick");
	while ((c = getopt(argc, argv, "+c:v")) > 0) {
		if (c == 'v')
			log_verbose++;
		else if (c != 'c')
			usage();
		else if (conf_set_dir(optarg, &err) < 0)
			log_fatal("%s", err.text);
	}
	if (argc != optind + 3)
		usage();
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	log_open("postkick", true);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	buf_printf(&path, "%s/%s", argv[optind], argv[optind + 1]);
	if (!is_service(argv[optind], argv[optind + 1])) {
		errno = ENOENT;
		unreachable(argv + optind, "unable to look up", buf_text(&path));
	}
	if (access(buf_text(&path), F_OK) < 0)
		unreachable(argv + optind, "unable to look up", buf_text(&path));
	if (service_trigger(buf_text(&path), str_of(argv[optind + 2]), &err) < 0) {
		errno = err.code;
		unreachable(argv + optind, "connect to", buf_text(&path));
	}
	buf_free(&path);
	return 0;
}
