/* The wakeup column: services that are to look around from time to time. The trigger arrives at the
 * socket like anybody's, so that a worker is started for it if there is none. */
#include "log/log.h"
#include "master/master.h"
#include "service/service.h"

#include <errno.h>

static void wakeup(void *arg)
{
	struct master_service *s = arg;
	struct err err;

	timer_set(&s->wake, (int64_t)s->wakeup * 1000);
	if (master.stopping || s->throttled || (s->wakeup_if_used && !s->used))
		return;
	if (service_trigger_now(s->socket_path, STR("W"), &err) < 0 && err.code != EAGAIN)
		log_warn("wake-up of service %s: %s", s->name, err.text);
}

void wakeup_start(struct master_service *s)
{
	if (s->wakeup <= 0 || s->socket_path == NULL)
		return;
	timer_free(&s->wake);
	timer_init(&s->wake, wakeup, s);
	timer_set(&s->wake, s->wakeup_if_used ? (int64_t)s->wakeup * 1000 : 0);
}
