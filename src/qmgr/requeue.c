#include "qmgr/requeue.h"

#include "ipc/deliver.h"
#include "loop/work.h"
#include "queue/write.h"
#include "service/service.h"

#define MAILDROP_MODE 0700 /* complete, ours */

struct requeue {
	const struct queue_ref *ref;
	struct envelope env;
	struct err err;
	int result;
};

static void write_it(void *arg)
{
	struct requeue *r = arg;

	r->result = queue_copy_file("maildrop", r->ref, MAILDROP_MODE, &r->env, &r->err);
}

static bool is_left(const struct ipc_rcpt_status *st)
{
	return st->kind == RCPT_PENDING || st->kind == RCPT_DEFERRED;
}

int requeue_message(const struct queue_ref *ref, const struct envelope *env, struct err *err)
{
	static const uint32_t forget = MESSAGE_WARNED | MESSAGE_FORCE_EXPIRE | MESSAGE_TRACED;
	struct requeue r = {.ref = ref};
	struct arena a = {0};
	struct err ignore;

	r.env.message = env->message;
	r.env.message.flags &= ~forget;
	r.env.sender = env->sender;
	for (size_t i = 0; i < env->nattrs; i++)
		if (!str_eq(env->attrs[i].name, STR("content_filter")))
			envelope_add_attr(&r.env, &a, env->attrs[i].name, env->attrs[i].value);
	for (size_t i = 0; i < env->nrcpts; i++)
		if (is_left(&env->status[i]))
			envelope_add_rcpt(&r.env, &a, &env->rcpts[i]);
	work_run(write_it, &r);
	arena_free(&a);
	if (r.result < 0)
		*err = r.err;
	else
		service_trigger("public/pickup", STR("W"), &ignore);
	return r.result;
}
