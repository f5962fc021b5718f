/* Messages that change their place: from the log into files, and from queue to queue. */
#include "base/mem.h"
#include "ipc/deliver.h"
#include "queue/io.h"
#include "queue/le.h"
#include "queue/parts.h"
#include "queue/qfile.h"
#include "queue/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOVES_AT_ONCE 64 /* of one job: they share the syncs */
#define MOVE_JOBS     2
#define AREA_MAX      (1u << 20) /* a status area that is larger is written anew */

struct store_move {
	struct list node;
	struct queue_store *store;
	struct queue_ref from, to;
	int64_t next_attempt_s;
	struct buf envelope, notes; /* encoded; notes: of every recipient that has a status */
	uint32_t flags;
	void (*done)(void *arg, const struct queue_ref *now, int error);
	void *arg;
	int error;
	struct qfile_temp temp; /* from the log */
	char *old_path, *path;
	bool renamed;
};
struct move_job {
	struct queue_store *store;
	struct list moves;
	struct htab dirs; /* to be synced */
	unsigned left;	  /* callbacks outstanding */
};

/* --- in the pool thread: out of the log */

static int move_stage(struct store_move *m)
{
	char path[SEGMENT_PATH];
	struct err err;
	int fd = io_open(segment_path(path, m->from.segment), O_RDONLY, 0, "queue.segment.open"),
	    result;

	if (fd < 0)
		return -1;
	result = qfile_begin(&m->temp, m->to.queue, m->from.id, &err);
	if (result < 0) {
		close(fd);
		errno = err.code;
		return -1;
	}
	result = qfile_content_from(&m->temp, fd, m->from.content_offset, m->from.content_length);
	if (result == 0)
		result = qfile_finish(
		    &m->temp, buf_view(&m->envelope), buf_view(&m->notes), 0700, m->next_attempt_s);
	close(fd);
	return result;
}

/* --- between queues */

static bool status_differs(const struct ipc_rcpt_status *a, const struct ipc_rcpt_status *b)
{
	return a->kind != b->kind || a->time_us != b->time_us || !str_eq(a->dsn, b->dsn) ||
	       !str_eq(a->action, b->action) || !str_eq(a->mta_name, b->mta_name) ||
	       !str_eq(a->diag, b->diag) || !str_eq(a->reason, b->reason);
}

/* Those notes that the file does not have yet. *durable: one of them must survive. */
static void move_new_notes(
    const struct store_move *m, const struct envelope *disk, struct buf *out, bool *durable)
{
	str rest = buf_view(&m->notes);
	struct note n;
	char flags[4];

	while (note_take(&rest, &n)) {
		str frame = n.payload;
		struct ipc_msg msg;

		if (ipc_take(&frame, &msg, NULL) != 0 || msg.rcpt_status.index >= disk->nrcpts ||
		    !status_differs(&msg.rcpt_status, &disk->status[msg.rcpt_status.index]))
			continue;
		note_put_own(out, NOTE_STATUS, n.payload);
		*durable = *durable || msg.rcpt_status.kind == RCPT_SENT ||
			   msg.rcpt_status.kind == RCPT_BOUNCED;
	}
	if (m->flags & ~disk->message.flags) {
		le32_put(flags, m->flags);
		note_put_own(out, NOTE_FLAGS, str_mem(flags, sizeof flags));
		*durable = true;
	}
}

/* Writes the file anew with a short status area, in its place. */
static int move_rewrite(struct store_move *m, int fd, const struct qfile_head *h)
{
	struct qfile_temp t;
	struct err err;
	int result = qfile_begin(&t, m->from.queue, m->from.id, &err);

	if (result < 0) {
		errno = err.code;
		return -1;
	}
	result = qfile_content_from(&t, fd, h->content_offset, h->content_length);
	if (result == 0)
		result = qfile_finish(&t, buf_view(&m->envelope), buf_view(&m->notes), 0700, 0);
	if (result == 0)
		result = qfile_sync(&t);
	if (result == 0)
		result = io_rename(t.path, m->old_path, false, "queue.file.rename");
	if (result == 0)
		qfile_forget(&t);
	else
		qfile_drop(&t);
	return result;
}

static int move_notes(struct store_move *m)
{
	struct qfile_head h;
	struct arena arena = {0};
	struct envelope disk;
	struct buf notes = {0};
	bool durable = false;
	struct err err;
	uint64_t end = 0;
	int fd = qfile_open(m->old_path, O_RDWR, &h, &err), result = -1;

	if (fd < 0 || qfile_read_envelope(fd, &h, &disk, &arena, &end, &err) < 0) {
		errno = err.code;
		goto out;
	}
	m->to.content_offset = h.content_offset;
	m->to.content_length = h.content_length;
	move_new_notes(m, &disk, &notes, &durable);
	if (end - h.envelope_offset - h.envelope_length > AREA_MAX &&
	    end - h.envelope_offset - h.envelope_length > 8 * m->notes.n) {
		result = move_rewrite(m, fd, &h);
		goto out;
	}
	result = notes.n ? io_write_at(fd, notes.p, notes.n, end, "queue.file.write") : 0;
	if (result == 0 && durable)
		result = io_datasync(fd, "queue.file.sync");
out:
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	buf_free(&notes);
	arena_free(&arena);
	return result;
}

static int move_between(struct store_move *m)
{
	struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

	m->old_path = qfile_path(m->from.queue, m->from.id);
	m->path = qfile_path(m->to.queue, m->from.id);
	if (m->envelope.n > 0 && move_notes(m) < 0)
		return -1;
	if (m->next_attempt_s > 0)
		ts[1] = (struct timespec){.tv_sec = (time_t)m->next_attempt_s};
	utimensat(AT_FDCWD, m->old_path, ts, 0);
	if (strcmp(m->old_path, m->path) == 0)
		return 0;
	if (io_rename(m->old_path, m->path, true, "queue.file.rename") < 0 &&
	    (errno != ENOENT || io_make_parents(m->path) < 0 ||
		io_rename(m->old_path, m->path, true, "queue.file.rename") < 0))
		return -1;
	m->renamed = true;
	return 0;
}

/* --- the job */

static void move_dir(struct move_job *j, const char *path)
{
	const char *slash = strrchr(path, '/');

	htab_set(&j->dirs, str_mem(path, (size_t)(slash - path)), j);
}

static bool move_is_administrative(const struct store_move *m)
{
	return strcmp(m->from.queue, "hold") == 0 || strcmp(m->to.queue, "hold") == 0 ||
	       strcmp(m->to.queue, "maildrop") == 0;
}

/* A name that may not survive a crash must not be promised: back to where it was. */
static void move_take_back(struct store_move *m, int error)
{
	if (m->error)
		return;
	if (m->from.lane == LANE_LOG)
		unlink(m->path);
	else if (m->renamed && rename(m->path, m->old_path) < 0)
		return; /* it stays in its new place */
	m->error = error;
}

static void move_sync_dirs(struct move_job *j)
{
	struct store_move *m;
	int error = 0;

	HTAB_FOREACH (e, &j->dirs)
		if (io_sync_dir(e->key) < 0)
			error = errno;
	if (!error)
		return;
	LIST_FOREACH (m, &j->moves, struct store_move, node)
		if (m->from.lane == LANE_LOG || move_is_administrative(m))
			move_take_back(m, error);
}

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;

void store_files_lock(void)
{
	pthread_mutex_lock(&file_lock);
}

void store_files_unlock(void)
{
	pthread_mutex_unlock(&file_lock);
}

static void move_one_file(struct move_job *j, struct store_move *m)
{
	store_files_lock();
	if (move_between(m) < 0)
		m->error = errno ? errno : EIO;
	store_files_unlock();
	if (!m->error && m->renamed && move_is_administrative(m)) {
		move_dir(j, m->path);
		move_dir(j, m->old_path);
	}
}

static void move_publish(struct move_job *j, struct store_move *m)
{
	char *path = mem_strdup(m->temp.final);

	if (qfile_sync(&m->temp) < 0 || qfile_publish(&m->temp) < 0) {
		m->error = errno;
		qfile_drop(&m->temp);
		free(path);
		return;
	}
	m->path = path;
	m->to.content_offset = QFILE_HEAD;
	m->to.content_length = m->from.content_length;
	move_dir(j, path);
}

static void move_run(void *arg)
{
	struct move_job *j = arg;
	struct store_move *m;

	LIST_FOREACH (m, &j->moves, struct store_move, node) {
		if (m->from.lane == LANE_FILE) {
			move_one_file(j, m);
		} else if (move_stage(m) < 0) {
			m->error = errno ? errno : EIO;
			qfile_drop(&m->temp);
		}
	}
	/* All are written: the first sync brings most of the others along. */
	LIST_FOREACH (m, &j->moves, struct store_move, node)
		if (m->from.lane == LANE_LOG && !m->error)
			move_publish(j, m);
	move_sync_dirs(j);
}

/* --- on the loop */

static void move_free(struct store_move *m)
{
	list_remove(&m->node);
	buf_free(&m->envelope);
	buf_free(&m->notes);
	free(m->old_path);
	free(m->path);
	free(m);
}

/* Everything is where it should be, and the log's copies are marked. */
static void move_settled(void *arg, int error)
{
	struct move_job *j = arg;
	struct queue_store *s = j->store;
	struct store_move *m;

	(void)error; /* the file is durable; that the log's copy is finished is tried until it is
			recorded */
	LIST_FOREACH (m, &j->moves, struct store_move, node) {
		m->done(m->arg, m->error ? &m->from : &m->to, m->error);
		move_free(m);
	}
	htab_free(&j->dirs, NULL);
	free(j);
	store_job_end(s);
}

static void move_done(void *arg)
{
	struct move_job *j = arg;
	struct queue_store *s = j->store;
	struct store_move *m;
	bool noted = false;

	s->move_jobs--;
	s->jobs++; /* until move_settled */
	LIST_FOREACH (m, &j->moves, struct store_move, node) {
		struct store_segment *g;
		struct store_record *r;

		if (m->error || m->from.lane != LANE_LOG)
			continue;
		noted = true;
		g = store_segment(s, m->from.segment);
		r = g && g->generation == m->from.generation ? store_record(g, m->from.offset)
							     : NULL;
		if (r && r->live) {
			store_status_finished(s, &m->from);
			store_record_end(s, g, r);
		}
	}
	store_moves_start(s);
	/* The file may be finished and removed at once: before, its copy must be known to be no
	 * mail. */
	if (noted)
		queue_store_sync(s, move_settled, j);
	else
		move_settled(j, 0);
	store_job_end(s);
}

void store_moves_start(struct queue_store *s)
{
	while (s->move_jobs < MOVE_JOBS && !list_empty(&s->moves)) {
		struct move_job *j = mem_zero(sizeof *j);

		j->store = s;
		list_init(&j->moves);
		for (int i = 0; i < MOVES_AT_ONCE && !list_empty(&s->moves); i++) {
			struct list *first = s->moves.next;

			list_remove(first);
			list_append(&j->moves, first);
		}
		s->move_jobs++;
		store_job_start(s, move_run, move_done, j);
	}
}

static void moves_due(void *arg)
{
	struct queue_store *s = arg;

	store_moves_start(s);
	store_job_end(s);
}

void queue_store_move(struct queue_store *s, const struct queue_ref *ref,
    const struct envelope *env, const char *queue, int64_t next_attempt_s,
    void (*done)(void *arg, const struct queue_ref *now, int error), void *arg)
{
	struct store_move *m = mem_zero(sizeof *m);

	m->store = s;
	m->from = *ref;
	m->to = (struct queue_ref){.lane = LANE_FILE};
	m->temp.fd = -1;
	snprintf(m->to.id, sizeof m->to.id, "%s", ref->id);
	snprintf(m->to.queue, sizeof m->to.queue, "%s", queue);
	m->next_attempt_s = next_attempt_s;
	m->flags = env->message.flags;
	m->done = done;
	m->arg = arg;
	envelope_encode(env, &m->envelope);
	note_put_statuses(&m->notes, env);
	if (ref->lane == LANE_FILE)
		store_status_forget_file(s, ref->id);
	if (list_empty(&s->moves)) {
		/* at the next turn, with all the others of this one */
		s->jobs++;
		loop_defer(moves_due, s);
	}
	list_append(&s->moves, &m->node);
}
