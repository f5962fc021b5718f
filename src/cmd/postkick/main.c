/* postkick(1): sends a request to a service's socket. */
#include "log/log.h"
#include "param/param.h"
#include "service/service.h"

#include <errno.h>
#include <unistd.h>

static void usage(void)
{
	log_fatal("usage: postkick [-c config_dir] [-v] class service request");
}

int main(int argc, char **argv)
{
	struct buf path = {0};
	struct err err;
	int c;

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
	if (strcmp(argv[optind], "public") != 0 && strcmp(argv[optind], "private") != 0)
		log_fatal("bad class: %s (should be public or private)", argv[optind]);
	if (strchr(argv[optind + 1], '/'))
		log_fatal("bad service name: %s", argv[optind + 1]);
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	log_open("postkick", true);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	buf_printf(&path, "%s/%s", argv[optind], argv[optind + 1]);
	if (service_trigger(buf_text(&path), str_of(argv[optind + 2]), &err) < 0)
		log_fatal(
		    "cannot contact class %s service %s - perhaps the mail system is down: %s",
		    argv[optind], argv[optind + 1], err.text);
	buf_free(&path);
	return 0;
}
