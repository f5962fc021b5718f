/* The life of a worker: start, sandbox, serve, drain, end. */
#include "base/mem.h"
#include "log/log.h"
#include "loop/idle.h"
#include "loop/loop.h"
#include "loop/proc.h"
#include "param/param.h"
#include "service/service_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct worker worker;
static struct timer grace, deadline;

/* Asked to end by master (reload), or by nothing having happened for max_idle. */
static void worker_drain(void)
{
	worker.draining = true;
	cond_wake_all(&worker.changed);
}

/* Ends regardless: a session that does not answer to cancellation must not keep the process. */
static void deadline_passed(void *arg)
{
	(void)arg;
	log_finish();
	_exit(0);
}

static void worker_stop(void)
{
	if (worker.stopping)
		return;
	worker.draining = worker.stopping = true;
	timer_set(&deadline, SERVICE_STOP_DEADLINE);
	cond_wake_all(&worker.changed);
}

static void grace_over(void *arg)
{
	(void)arg;
	worker_stop();
}

void service_drain_requested(bool master_gone)
{
	worker_drain();
	if (master_gone)
		timer_set(&grace, SERVICE_STOP_GRACE);
}

static void on_sigterm(int signum, void *arg)
{
	(void)signum, (void)arg;
	worker_stop();
}

/* Lets running sessions finish, as far as the occasion allows. May wait. */
static void worker_end(void)
{
	accept_close();
	control_report(); /* master waits for this before it says that a reload is done */
	idle_end_all();
	if (worker.started && worker.service->drain)
		worker.service->drain();
	while (worker.sessions > 0 && !worker.stopping && !worker.service->resident)
		if (cond_wait(&worker.changed, FOREVER) != WAIT_OK)
			break;
	scope_end(&worker.clients);
	if (worker.started && worker.service->finish)
		worker.service->finish();
	scope_end(&worker.scope);
}

static void worker_main(void *arg)
{
	(void)arg;
	if (worker.service->start)
		worker.service->start();
	worker.started = true;
	if (worker.by_hand) {
		stdio_serve();
	} else {
		if (!worker.draining)
			accept_open();
		control_report();
		while (!worker.draining)
			cond_wait(&worker.changed, FOREVER);
	}
	worker_end();
	exit(0);
}

/* Thousands of sessions need as many descriptors. */
static void raise_limits(void)
{
	struct rlimit r;

	proc_save_limits();
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int service_main(int argc, char **argv, const struct service *service)
{
	struct err err;

	worker.service = service;
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	log_early(service->program);
	options_read(argc, argv);
	if (conf_load(NULL, &err) < 0)
		log_fatal("%s", err.text);
	log_open(service->program, false);
	if (chdir(conf.queue_directory) < 0)
		log_fatal("chdir %s: %s", conf.queue_directory, strerror(errno));
	raise_limits();
	memory_setup();
	loop_init();
	log_batch(true);
	scope_init(&worker.scope);
	scope_init(&worker.clients);
	cond_init(&worker.changed);
	timer_init(&grace, grace_over, NULL);
	timer_init(&deadline, deadline_passed, NULL);
	if (service->setup)
		service->setup();
	if (!worker.by_hand)
		sandbox_enter();
	loop_signal(SIGTERM, on_sigterm, NULL);
	if (!worker.by_hand)
		control_open();
	loop_run(worker_main, NULL);
	exit(0);
}

const char *service_name(void)
{
	return worker.name;
}

enum service_type service_type(void)
{
	return worker.type;
}

bool service_draining(void)
{
	return worker.draining;
}

bool service_stopping(void)
{
	return worker.stopping;
}

int service_worker(void)
{
	return worker.slot;
}

long service_sessions(void)
{
	return worker.sessions;
}

long service_limit(void)
{
	return worker.limit;
}

bool service_by_hand(void)
{
	return worker.by_hand;
}

struct scope *service_scope(void)
{
	return &worker.scope;
}

const char *const *service_args(void)
{
	return worker.args;
}
