/* Workers: when one is started, what they report, how they end. */
#include "base/mem.h"
#include "ipc/msg.h"
#include "log/event.h"
#include "log/log.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "master/master.h"
#include "param/param.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RELEASE_RESIDENT 10000 /* ms that the old worker of a single service may take to drain */
#define RELEASE_OTHER	 30000

size_t workers_count(const struct master_service *s)
{
	struct worker *w;
	size_t n = 0;

	LIST_FOREACH (w, &master.workers, struct worker, node) {
		n += w->service == s && !w->draining;
	}
	return n;
}

/* What nobody may use yet of the session limit. Sessions of draining workers count, so that a
 * reload does not double the processes that sessions cost. */
static long sessions_left(const struct master_service *s)
{
	struct worker *w;
	long left = s->sessions_max;

	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (strcmp(w->key, s->key) == 0)
			left -= w->draining && w->closed ? (long)w->sessions : w->limit;
	}
	return left;
}

static bool is_full(const struct master_service *s)
{
	return s->forks ? sessions_left(s) < 1 : workers_count(s) >= (size_t)s->workers_max;
}

/* Services of one process never run twice: the one of the earlier configuration has to end first.
 */
static struct worker *predecessor(const struct master_service *s)
{
	struct worker *w;

	if (s->workers_max > 1)
		return NULL;
	LIST_FOREACH (w, &master.workers, struct worker, node) {
		if (w->draining && !w->overdue && strcmp(w->key, s->key) == 0)
			return w;
	}
	return NULL;
}

static void release(void *arg)
{
	struct master_service *s = arg;
	struct worker *old = predecessor(s);

	s->waits = false;
	if (old == NULL)
		return;
	if (s->resident)
		worker_signal(old, old->signalled ? SIGKILL : SIGTERM);
	else
		old->overdue = true;
	workers_watch(s);
}

static bool may_start(struct master_service *s)
{
	if (master.stopping || s->throttled || is_full(s))
		return false;
	if (predecessor(s) == NULL)
		return true;
	if (!s->waits) {
		s->waits = true;
		timer_free(&s->release);
		timer_init(&s->release, release, s);
		timer_set(&s->release, s->resident ? RELEASE_RESIDENT : RELEASE_OTHER);
	}
	return false;
}

static int free_slot(const struct master_service *s)
{
	struct worker *w;
	int slot = 0;
	bool taken;

	/* Draining workers keep theirs: slot numbers name files. */
	do {
		taken = false;
		LIST_FOREACH (w, &master.workers, struct worker, node) {
			taken |= strcmp(w->key, s->key) == 0 && w->slot == slot;
		}
		slot += taken;
	} while (taken);
	return slot;
}

/* The share of the session limit that a further worker gets. */
static long limit_share(const struct master_service *s)
{
	long share = s->sessions_max / s->workers_max, left;

	share += (long)workers_count(s) < s->sessions_max % s->workers_max;
	left = s->forks ? sessions_left(s) : share;
	return left < share ? left : share;
}

static void control_lost(struct worker *w)
{
	watch_free(w->watch);
	w->watch = NULL;
}

static void ready(struct worker *w)
{
	w->ready = true;
	if (w->service && w->resident && !w->is_log)
		master_announce();
}

/* Sessions that ended may be somebody's turn, and what a worker no longer takes is a new one's. */
static void old_loaded(const struct worker *w)
{
	struct master_service *s = service_find(&master.services, w->key);

	if (s)
		workers_watch(s);
}

static void loaded(struct worker *w, const struct ipc_worker_load *m)
{
	w->sessions = m->sessions;
	w->busy_reports = m->load > LOAD_BUSY ? w->busy_reports + 1 : 0;
	if (!w->ready)
		ready(w);
	if (m->draining && !w->closed) {
		w->draining = true; /* also without being told: idle for long, but a session may
				       have come in the last moment */
		w->closed = true;
		reload_progress();
	}
	if (w->service == NULL || w->draining) {
		old_loaded(w);
		return;
	}
	if (w->busy_reports >= LOAD_BUSY_REPORTS || w->sessions >= w->limit) {
		w->busy_reports = 0;
		workers_start(w->service);
	}
}

static void control_frames(struct worker *w)
{
	str rest = buf_view(&w->in);
	struct ipc_msg m;
	struct err err;
	int r;

	while ((r = ipc_take(&rest, &m, &err)) == 0)
		if (m.type == MSG_WORKER_LOAD)
			loaded(w, &m.worker_load);
	if (r < 0) {
		log_warn("process %s pid %d: %s", w->path, (int)w->pid, err.text);
		control_lost(w);
		return;
	}
	buf_drop(&w->in, w->in.n - rest.n);
}

static void control_readable(int fd, void *arg)
{
	struct worker *w = arg;
	ssize_t n = recv(fd, buf_room(&w->in, 512), 512, MSG_DONTWAIT);

	if (n > 0) {
		buf_added(&w->in, (size_t)n);
		control_frames(w);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		control_lost(w);
	}
}

static void worker_free(struct worker *w)
{
	list_remove(&w->node);
	watch_free(w->watch);
	if (w->control >= 0)
		close(w->control);
	buf_free(&w->in);
	free(w->key);
	free(w->path);
	free(w);
}

static void throttle_over(void *arg)
{
	struct master_service *s = arg;

	s->throttled = false;
	if (s->resident)
		workers_start(s);
	workers_watch(s);
}

static void throttle(struct master_service *s, int64_t milliseconds)
{
	if (milliseconds <= 0)
		return;
	s->throttled = true;
	timer_free(&s->throttle);
	timer_init(&s->throttle, throttle_over, s);
	timer_set(&s->throttle, milliseconds);
}

void workers_start(struct master_service *s)
{
	struct worker *w;
	struct err err;

	if (!may_start(s))
		return;
	w = mem_zero(sizeof *w);
	w->service = s;
	w->key = mem_strdup(s->key);
	w->path = mem_strdup(s->path);
	w->resident = s->resident;
	w->is_inet = s->type == SERVICE_INET;
	w->is_log = s->type == SERVICE_DGRAM;
	w->control = -1;
	w->slot = free_slot(s);
	w->limit = limit_share(s);
	w->started = loop_now();
	list_append(&master.workers, &w->node);
	if (worker_spawn(w, s, &err) < 0) {
		log_warn("service %s: %s", s->name, err.text);
		worker_free(w);
		throttle(s, 1000);
		return;
	}
	s->used = true;
	w->watch = watch_readable(w->control, control_readable, w);
}

static void socket_ready(int fd, void *arg)
{
	struct master_service *s = arg;

	(void)fd;
	workers_start(s);
	workers_watch(s);
}

void workers_watch(struct master_service *s)
{
	bool want = workers_count(s) == 0 && may_start(s);

	for (size_t i = 0; i < s->nsocks; i++) {
		struct master_socket *k = &s->socks[i];

		if (want && k->watch == NULL && k->fd >= 0) {
			k->watch = watch_readable(k->fd, socket_ready, s);
		} else if (!want && k->watch) {
			watch_free(k->watch);
			k->watch = NULL;
		}
	}
}

void worker_send_drain(struct worker *w)
{
	static const struct ipc_worker_drain m;
	struct buf out = {0};

	w->draining = true;
	if (w->control < 0)
		return;
	ipc_put(&out, MSG_WORKER_DRAIN, &m);
	if (send(w->control, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE)
		worker_signal(w, SIGTERM);
	buf_free(&out);
}

void worker_signal(struct worker *w, int signum)
{
	w->draining = true;
	w->signalled = true;
	kill(w->pid, signum);
}

/* A worker that never came up throttles its service, longer each time; one that crashed is replaced
 * at once unless that keeps happening. */
static void back_off(struct worker *w, struct master_service *s)
{
	int64_t lived = loop_now() - w->started, most = (int64_t)conf.service_throttle_time * 1000,
		delay;

	if (!w->ready) {
		log_master_throttle(w->path);
		delay = 1000LL << (s->failures < 10 ? s->failures : 10);
		s->failures++;
	} else {
		s->failures = lived < STABLE_LIFE ? s->failures + 1 : 0;
		delay = s->failures > 3 ? 1000LL * (s->failures - 3) : 0;
		if (delay > 5000)
			delay = 5000;
	}
	throttle(s, delay < most ? delay : most);
}

static void ended(struct worker *w, int status)
{
	struct master_service *s = w->service ? w->service : service_find(&master.services, w->key);
	bool own_signal = w->signalled && WIFSIGNALED(status) &&
			  (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
	bool bad = status != 0 && !own_signal;

	if (bad && WIFSIGNALED(status))
		log_master_killed(w->path, (int)w->pid, WTERMSIG(status));
	else if (bad)
		log_master_exit(w->path, (int)w->pid, WEXITSTATUS(status));
	if (s && bad && w->service == s)
		back_off(w, s);
	else if (s && w->ready)
		s->failures = 0;
	if (!w->ready && w->resident && !w->is_log)
		master_announce(); /* without it then */
	worker_free(w);
	reload_progress();
	if (s && !master.stopping) {
		if (s->resident)
			workers_start(s);
		workers_watch(s);
	}
}

void workers_reap(void)
{
	struct worker *w;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		LIST_FOREACH (w, &master.workers, struct worker, node) {
			if (w->pid == pid) {
				ended(w, status);
				break;
			}
		}
	}
	if (master.stopping)
		stop_progress();
}
