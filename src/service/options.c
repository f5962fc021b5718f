/* What master tells a worker on its command line and in its environment. */
#include "base/mem.h"
#include "log/log.h"
#include "param/param.h"
#include "service/service_int.h"

#include <stdlib.h>
#include <unistd.h>

static enum service_type type_of(const char *name)
{
	static const struct {
		const char *name;
		enum service_type type;
	} types[] = {
	    {"inet", SERVICE_INET},
	    {"unix", SERVICE_UNIX},
	    {"fifo", SERVICE_FIFO},
	    {"pass", SERVICE_PASS},
	    {"unix-dgram", SERVICE_DGRAM},
	};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	log_fatal("unknown service type: %s", name);
}

static long number_of(const char *variable, long fallback)
{
	const char *text = getenv(variable);
	int64_t n;

	if (text == NULL)
		return fallback;
	if (!str_to_i64(str_of(text), &n) || n < 0 || n > INT32_MAX)
		log_fatal("bad %s in the environment: %.100s", variable, text);
	return (long)n;
}

static void override(const char *assignment)
{
	struct err err;

	if (conf_override(assignment, &err) < 0)
		log_fatal("invalid parameter override: %s: %s", assignment, err.text);
}

static void override_name(const char *parameter, const char *value)
{
	struct buf b = {0};

	buf_printf(&b, "%s=%s", parameter, value);
	override(buf_text(&b));
	buf_free(&b);
}

void options_read(int argc, char **argv)
{
	int c;

	worker.name = worker.service->program;
	worker.type = SERVICE_UNIX;
	/* The letters that take no effect here are accepted because people have them in their
	 * master.cf. */
	while ((c = getopt(argc, argv, "+cdDilLm:n:o:rs:St:uvVz")) > 0) {
		switch (c) {
		case 'c':
			worker.chroot = true;
			break;
		case 'n':
			worker.name = optarg;
			break;
		case 'o':
			override(optarg);
			break;
		case 'S':
			worker.by_hand = true;
			break;
		case 't':
			worker.type = type_of(optarg);
			break;
		case 'u':
			worker.unpriv = true;
			break;
		case 'v':
			log_verbose++;
			break;
		case '?':
			log_fatal("invalid option: -%c", optopt);
		default:
			break;
		}
	}
	worker.args = (const char *const *)argv + optind;
	override_name("process_name", worker.service->program);
	override_name("service_name", worker.name);
	worker.nfds = (int)number_of("SERVICE_FDS", 0);
	worker.limit = number_of("SERVICE_LIMIT", 1000);
	worker.slot = (int)number_of("SERVICE_WORKER", 0);
	if (worker.limit < 1)
		worker.limit = 1;
	if (worker.by_hand ? !worker.service->stdio : worker.nfds < 1)
		log_fatal("this program must be started by master, not by hand");
}
