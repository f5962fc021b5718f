/* Descriptors that event code watches. */
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/sched.h"

#include <stdlib.h>

struct watch {
	uv_poll_t handle;
	int fd;
	void (*fn)(int fd, void *arg);
	void *arg;
	bool paused;
};

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct watch *w = CONTAINER_OF(h, struct watch, handle);

	(void)status;
	(void)events;
	w->fn(w->fd, w->arg);
}

static void start(struct watch *w)
{
	if (uv_poll_start(&w->handle, UV_READABLE, on_readable) < 0)
		loop_panic("a descriptor cannot be watched");
}

struct watch *watch_readable(int fd, void (*fn)(int fd, void *arg), void *arg)
{
	struct watch *w = mem_zero(sizeof(*w));

	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	if (uv_poll_init(loop_get(), &w->handle, fd) < 0)
		loop_panic("a descriptor cannot be watched");
	start(w);
	return w;
}

void watch_pause(struct watch *w, bool paused)
{
	if (paused == w->paused)
		return;
	w->paused = paused;
	if (paused)
		uv_poll_stop(&w->handle);
	else
		start(w);
}

static void on_closed(uv_handle_t *h)
{
	free(CONTAINER_OF((uv_poll_t *)h, struct watch, handle));
}

void watch_free(struct watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->handle, on_closed);
}
