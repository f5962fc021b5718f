/* SIGHUP: a new configuration. The log line that says so comes when no worker of the old one takes
 * sessions any more, so that whoever waited for it is served by the new one. */
#include "log/event.h"
#include "log/log.h"
#include "master/master.h"
#include "param/dirs.h"
#include "param/param.h"

#define ANNOUNCE_MAX 5000 /* ms: an old worker that hangs does not keep the line back longer */

static struct timer limit;
static bool pending, has_timer;

static void announce(void)
{
	if (!pending)
		return;
	pending = false;
	timer_stop(&limit);
	log_master_reload(POSTERN_MAIL_VERSION, conf_dir());
}

static void limit_over(void *arg)
{
	(void)arg;
	announce();
}

void reload_progress(void)
{
	struct worker *w;

	if (!pending)
		return;
	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (w->draining && !w->closed)
			return;
	}
	announce();
}

static void conf_warning(const char *text)
{
	log_warn("%s", text);
}

void reload_begin(void)
{
	struct err err;

	if (!has_timer)
		timer_init(&limit, limit_over, NULL);
	has_timer = true;
	pending = true;
	if (conf_load(conf_warning, &err) < 0 || services_reload(&err) < 0) {
		announce();
		log_error("the configuration stays as it was: %s", err.text);
		return;
	}
	conf_warn_unacted(conf_warning);
	timer_set(&limit, ANNOUNCE_MAX);
	reload_progress();
}
