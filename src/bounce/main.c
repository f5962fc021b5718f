/* bounce: the services bounce (non-delivery), defer (delay) and trace (success) make notifications.
 */
#include "bounce/report.h"
#include "log/log.h"
#include "param/param.h"
#include "service/service.h"

static void warn(const char *text)
{
	log_warn("%s", text);
}

static void setup(void)
{
	struct err err;

	/* Mail must be returned also when the file is bad. */
	if (bounce_texts_load(conf.bounce_template_file, warn, &err) < 0)
		log_warn("bounce_template_file: %s; using the built-in texts", err.text);
}

int main(int argc, char **argv)
{
	static const struct service bounce = {
	    .program = "bounce",
	    .setup = setup,
	    .serve = request_serve,
	};

	return service_main(argc, argv, &bounce);
}
