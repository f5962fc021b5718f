#include "loop/work.h"

#include "base/mem.h"
#include "loop/sched.h"

#include <stdlib.h>

struct job {
	uv_work_t req;
	void (*fn)(void *arg);
	void (*then)(void *arg);
	void *arg;
	struct co *co;
	bool done;
};

static void in_thread(uv_work_t *req)
{
	struct job *j = CONTAINER_OF(req, struct job, req);

	j->fn(j->arg);
}

static void queue(struct job *j, uv_after_work_cb after)
{
	if (uv_queue_work(loop_get(), &j->req, in_thread, after) < 0)
		loop_panic("the thread pool takes no work");
}

static void wake_owner(uv_work_t *req, int status)
{
	struct job *j = CONTAINER_OF(req, struct job, req);

	(void)status;
	j->done = true;
	co_wake(j->co, WAIT_OK);
}

void work_run(void (*fn)(void *arg), void *arg)
{
	struct job j = {.fn = fn, .arg = arg, .co = co_self()};

	if (!j.co) {
		/* A command without a loop, or start-up: there is nobody to be kept waiting. */
		fn(arg);
		return;
	}
	queue(&j, wake_owner);
	while (!j.done)
		co_park_shielded();
}

static void call_then(uv_work_t *req, int status)
{
	struct job *j = CONTAINER_OF(req, struct job, req);

	(void)status;
	j->then(j->arg);
	free(j);
}

void work_start(void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *j = mem_zero(sizeof(*j));

	j->fn = fn;
	j->then = done;
	j->arg = arg;
	queue(j, call_then);
}
