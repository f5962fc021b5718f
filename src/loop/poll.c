#include "loop/poll.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

static void on_event(uv_poll_t *h, int status, int events);

struct stream_poll *stream_poll_new(void)
{
	return mem_zero(sizeof(struct stream_poll));
}

static void on_closed(uv_handle_t *h)
{
	free(CONTAINER_OF((uv_poll_t *)h, struct stream_poll, handle));
}

void stream_poll_free(struct stream_poll *p)
{
	if (p->waiters[0].co || p->waiters[1].co)
		loop_panic("a stream is freed while a coroutine waits for it");
	stream_fds_free(p->fds);
	if (p->inited)
		uv_close((uv_handle_t *)&p->handle, on_closed);
	else
		free(p);
}

static int arm(struct stream_poll *p, int directions)
{
	int r =
	    directions ? uv_poll_start(&p->handle, directions, on_event) : uv_poll_stop(&p->handle);

	p->armed = r < 0 ? 0 : directions;
	return r;
}

/* A direction stays armed between waits, since the next wait is mostly for the same; only when it
 * fires and nobody waits for it, it is taken back. */
static void on_event(uv_poll_t *h, int status, int events)
{
	struct stream_poll *p = CONTAINER_OF(h, struct stream_poll, handle);
	int unwanted;

	if (status < 0) {
		/* libuv has stopped the handle; the next system call tells what it is. */
		p->armed = 0;
		events = WANT_READ | WANT_WRITE;
	}
	unwanted = p->armed & events;
	for (int role = 0; role < 2; role++) {
		struct co *co = p->waiters[role].co;
		if (!co)
			continue;
		unwanted &= ~p->waiters[role].want;
		if (p->waiters[role].want & events)
			co_wake(co, WAIT_OK);
	}
	if (unwanted)
		arm(p, p->armed & ~unwanted);
}

static int prepare(struct stream *s, int want)
{
	struct stream_poll *p = s->poll;
	int r;

	if (!p->inited) {
		r = uv_poll_init(loop_get(), &p->handle, s->fd);
		if (r < 0)
			return r;
		uv_unref((uv_handle_t *)&p->handle);
		p->inited = true;
	}
	return (p->armed & want) == want ? 0 : arm(p, p->armed | want);
}

enum wait stream_poll_wait(struct stream *s, enum role role, int want, int64_t deadline, bool idle)
{
	struct stream_poll *p = s->poll;
	enum wait r;
	int code = prepare(s, want);

	if (code == UV_EPERM)
		return WAIT_OK; /* a file: always ready */
	if (code < 0) {
		errno = -code;
		return WAIT_ERROR;
	}
	if (p->waiters[role].co)
		loop_panic("two coroutines read, or write, one stream");
	p->waiters[role].co = co_self();
	p->waiters[role].want = want;
	uv_ref((uv_handle_t *)&p->handle);
	deadline = deadline_min(deadline, s->deadline_all);
	r = idle ? co_park_idle(deadline) : co_park(deadline);
	p->waiters[role].co = NULL;
	if (!p->waiters[!role].co)
		uv_unref((uv_handle_t *)&p->handle);
	return r;
}
