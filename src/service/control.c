/* The worker's line to master: load reports one way, "drain" the other, end of file when master is
 * gone. */
#include "base/file.h"
#include "ipc/msg.h"
#include "log/log.h"
#include "loop/loop.h"
#include "service/service_int.h"

#include <errno.h>
#include <sys/socket.h>

static struct watch *watch;
static struct timer second;
static struct buf in;
static bool ticking;

static void control_lost(void)
{
	watch_free(watch);
	watch = NULL;
	service_drain_requested(true);
}

void control_report(void)
{
	struct ipc_worker_load load = {
	    .sessions = (uint32_t)worker.sessions,
	    .load = (uint32_t)loop_load(),
	    .draining = worker.draining,
	};
	struct buf out = {0};

	if (watch == NULL)
		return;
	ipc_put(&out, MSG_WORKER_LOAD, &load);
	/* A master that does not read is not worth waiting for: the next report says the same. */
	if (send(SERVICE_CONTROL_FD, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == EPIPE)
		control_lost();
	buf_free(&out);
}

static void second_over(void *arg)
{
	(void)arg;
	ticking = memory_second(loop_load()) || worker.sessions > 0;
	control_report();
	if (ticking)
		timer_set(&second, 1000);
}

void service_busy(void)
{
	if (!ticking && worker.started && watch) {
		ticking = true;
		timer_set(&second, 1000);
	}
}

static void control_frames(void)
{
	str rest = buf_view(&in);
	struct ipc_msg m;
	struct err err;
	int r;

	while ((r = ipc_take(&rest, &m, &err)) == 0)
		if (m.type == MSG_WORKER_DRAIN)
			service_drain_requested(false);
	if (r < 0) {
		log_warn("control socket: %s", err.text);
		control_lost();
		return;
	}
	buf_drop(&in, in.n - rest.n);
}

static void control_readable(int fd, void *arg)
{
	ssize_t n;

	(void)arg;
	n = recv(fd, buf_room(&in, 512), 512, MSG_DONTWAIT);
	if (n > 0) {
		buf_added(&in, (size_t)n);
		control_frames();
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		control_lost();
	}
}

void control_open(void)
{
	timer_init(&second, second_over, NULL);
	if (file_nonblock(SERVICE_CONTROL_FD) < 0 || file_cloexec(SERVICE_CONTROL_FD) < 0)
		log_fatal("control socket: %s", strerror(errno));
	watch = watch_readable(SERVICE_CONTROL_FD, control_readable, NULL);
}
