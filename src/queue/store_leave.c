/* Messages that leave the queue: damaged ones to corrupt, finished files for good. */
#include "base/mem.h"
#include "log/log.h"
#include "queue/io.h"
#include "queue/parts.h"
#include "queue/qfile.h"
#include "queue/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNLINKS_AT_ONCE 128

/* --- damaged messages */

struct corrupt_job {
	struct queue_store *store;
	struct queue_ref ref;
	char why[200];
	char *from, *to;
	int error;
};

static int corrupt_copy(const struct corrupt_job *j)
{
	char *bytes = mem_alloc(j->ref.length + 1);
	char path[SEGMENT_PATH];
	int in = io_open(segment_path(path, j->ref.segment), O_RDONLY, 0, "queue.segment.open");
	int out =
	    in < 0 ? -1 : io_open(j->to, O_WRONLY | O_CREAT | O_EXCL, 0600, "queue.file.open");
	int result = -1, code;

	if (out >= 0 && io_read_at(in, bytes, j->ref.length, j->ref.offset, "queue.log.read") == 0)
		result = io_write_at(out, bytes, j->ref.length, 0, "queue.file.write");
	if (result == 0)
		result = io_sync(out, "queue.file.sync");
	code = errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (out >= 0 && result < 0)
		unlink(j->to);
	free(bytes);
	errno = code;
	return result;
}

static void corrupt_run(void *arg)
{
	struct corrupt_job *j = arg;
	int result = j->ref.lane == LANE_LOG ? corrupt_copy(j)
					     : io_rename(j->from, j->to, true, "queue.file.rename");

	j->error = result < 0 ? errno : 0;
}

static void corrupt_done(void *arg)
{
	struct corrupt_job *j = arg;
	struct queue_store *s = j->store;

	if (j->error)
		log_warn("%s is damaged (%s), and cannot be moved to corrupt: %s", j->ref.id,
		    j->why, strerror(j->error));
	else
		log_warn("%s is damaged (%s): moved from %s to corrupt", j->ref.id, j->why,
		    j->ref.queue);
	/* What could not be saved stays in the log, for the next start. */
	if (j->ref.lane == LANE_LOG && (!j->error || j->error == EEXIST))
		queue_store_finish(s, &j->ref);
	free(j->from);
	free(j->to);
	free(j);
	store_job_end(s);
}

void queue_store_corrupt(struct queue_store *s, const struct queue_ref *ref, const char *why)
{
	struct corrupt_job *j = mem_zero(sizeof *j);

	j->store = s;
	j->ref = *ref;
	snprintf(j->why, sizeof j->why, "%s", why);
	j->from = qfile_path(ref->queue, ref->id);
	j->to = qfile_path("corrupt", ref->id);
	if (ref->lane == LANE_FILE)
		store_status_forget_file(s, ref->id);
	store_job_start(s, corrupt_run, corrupt_done, j);
}

/* --- finished files */

struct unlink_job {
	struct queue_store *store;
	struct list entries;
	struct list failed;
	struct err trouble;
};

static void unlink_run(void *arg)
{
	struct unlink_job *j = arg;
	struct store_unlink *u;

	LIST_FOREACH (u, &j->entries, struct store_unlink, node) {
		if (io_unlink(u->path, "queue.file.unlink") == 0 || errno == ENOENT)
			continue;
		err_errno(&j->trouble, errno, "remove %s", u->path);
		list_remove(&u->node);
		list_append(&j->failed, &u->node);
	}
}

static void unlink_done(void *arg)
{
	struct unlink_job *j = arg;
	struct queue_store *s = j->store;
	struct store_unlink *u;
	bool failed = !list_empty(&j->failed);

	LIST_FOREACH (u, &j->entries, struct store_unlink, node) {
		const char *slash = strrchr(u->path, '/');
		str dir = str_mem(u->path, (size_t)(slash - u->path));

		if (!htab_get(&s->unlink_dirs, dir))
			htab_set(&s->unlink_dirs, dir, s);
		if (!s->unlink_floor || u->status < s->unlink_floor)
			s->unlink_floor = u->status;
		free(u);
	}
	/* Those are tried again with the next one, or by and by; their notes are kept until then.
	 */
	LIST_FOREACH (u, &j->failed, struct store_unlink, node) {
		list_remove(&u->node);
		list_prepend(&s->unlinks, &u->node);
	}
	if (failed)
		log_warn("%s", j->trouble.text);
	free(j);
	s->unlinking = false;
	if (!failed)
		store_unlinks_start(s);
	store_job_end(s);
}

void store_unlinks_start(struct queue_store *s)
{
	struct unlink_job *j;

	if (s->unlinking || list_empty(&s->unlinks))
		return;
	j = mem_zero(sizeof *j);
	j->store = s;
	list_init(&j->entries);
	list_init(&j->failed);
	for (int i = 0; i < UNLINKS_AT_ONCE && !list_empty(&s->unlinks); i++) {
		struct list *first = s->unlinks.next;

		list_remove(first);
		list_append(&j->entries, first);
	}
	s->unlinking = true;
	store_job_start(s, unlink_run, unlink_done, j);
}

static void unlinks_due(void *arg)
{
	struct queue_store *s = arg;

	store_unlinks_start(s);
	store_job_end(s);
}

void store_unlinks_free(struct queue_store *s)
{
	while (!list_empty(&s->unlinks)) {
		struct store_unlink *u = LIST_ITEM(s->unlinks.next, struct store_unlink, node);

		list_remove(&u->node);
		free(u);
	}
}

void store_unlink(struct queue_store *s, const struct queue_ref *ref)
{
	char *path = qfile_path(ref->queue, ref->id);
	struct store_unlink *u = mem_alloc(sizeof *u + strlen(path) + 1);

	u->status = s->status.number;
	strcpy(u->path, path);
	free(path);
	if (list_empty(&s->unlinks) && !s->unlinking) {
		s->jobs++;
		loop_defer(unlinks_due, s);
	}
	list_append(&s->unlinks, &u->node);
}
