/* The end of the system: those who talk to clients end at once, the others may finish what is under
 * way, and the log daemon goes last. */
#include "log/event.h"
#include "log/log.h"
#include "master/master.h"

#include <signal.h>

static struct timer grace, kill_time;
static int signals;

static bool others_left(void)
{
	struct worker *w;

	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (!w->is_log)
			return true;
	}
	return false;
}

static void signal_all(int signum)
{
	bool with_log = !others_left();
	struct worker *w;

	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (!w->is_log || with_log || signum == SIGKILL)
			worker_signal(w, signum);
	}
}

static void grace_over(void *arg)
{
	(void)arg;
	signal_all(SIGTERM);
}

static void kill_all(void *arg)
{
	(void)arg;
	signal_all(SIGKILL);
}

void stop_progress(void)
{
	struct worker *w;

	if (list_empty(&master.workers)) {
		master_ended();
		return;
	}
	if (others_left())
		return;
	log_flush(); /* the log daemon reads what it has got before it ends */
	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (!w->draining)
			worker_send_drain(w);
	}
}

void stop_begin(int signum)
{
	struct master_service *s;
	struct worker *w;

	if (++signals > 1) { /* somebody is in a hurry */
		signal_all(signals > 2 ? SIGKILL : SIGTERM);
		return;
	}
	log_master_terminating(signum);
	master.stopping = true;
	LIST_FOREACH (s, &master.services, struct master_service, node) {
		timer_stop(&s->wake);
		timer_stop(&s->throttle);
		timer_stop(&s->release);
		/* Messages to the log are wanted until the end. */
		if (s->type != SERVICE_DGRAM)
			sockets_close(s, true);
	}
	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (w->is_inet)
			worker_signal(w, SIGTERM);
		else if (!w->is_log)
			worker_send_drain(w);
	}
	timer_init(&grace, grace_over, NULL);
	timer_init(&kill_time, kill_all, NULL);
	timer_set(&grace, STOP_GRACE);
	timer_set(&kill_time, STOP_KILL);
	stop_progress();
}
