#include "qmgr/requeue.h"

#include "ipc/deliver.h"
#include "loop/work.h"
#include "queue/write.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MAILDROP_MODE 0700 /* complete, ours */

struct requeue {
	const struct queue_ref *ref;
	struct envelope env;
	struct err err;
	int result;
};

static int read_content(const struct queue_ref *ref, struct buf *out, struct err *err)
{
	struct buf path = {0};
	size_t left = ref->content_length;
	off_t at = (off_t)ref->content_offset;
	int fd;

	queue_ref_path(&path, ref);
	fd = open(buf_text(&path), O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && left > 0) {
		ssize_t n = pread(fd, buf_room(out, left), left, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			break;
		}
		buf_added(out, (size_t)n);
		at += n;
		left -= (size_t)n;
	}
	if (fd < 0 || left > 0)
		err_errno(err, errno, "%s", buf_text(&path));
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return fd < 0 || left > 0 ? -1 : 0;
}

static void write_it(void *arg)
{
	struct requeue *r = arg;
	struct buf content = {0};

	r->result = read_content(r->ref, &content, &r->err);
	if (r->result == 0)
		r->result = queue_write_file(
		    "maildrop", r->ref->id, MAILDROP_MODE, &r->env, buf_view(&content), &r->err);
	buf_free(&content);
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
