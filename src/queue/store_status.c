/* The status log as qmgr writes it: notes gather in memory, and are written and synced in the
 * thread pool ten times a second. What could not be written stays in memory, and goes to a new
 * file: pages that failed to sync are not trusted. */
#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue/io.h"
#include "queue/le.h"
#include "queue/parts.h"
#include "queue/qfile.h"
#include "queue/segment.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_MS    100
#define RETRY_MS    1000
#define FLUSH_BYTES (256u << 10) /* pending notes are written early beyond this */
#define FILE_BYTES  (16u << 20)	 /* then a new file is begun */

/* --- in the pool thread */

static int status_begin_file(struct status_writer *w)
{
	char path[STATUS_PATH];

	w->fd = io_open(
	    status_path(path, w->file), O_WRONLY | O_CREAT | O_EXCL, 0600, "queue.status.open");
	if (w->fd < 0 && errno == EEXIST)
		w->file++;
	if (w->fd < 0)
		return err_errno(&w->trouble, errno, "create %s", path);
	w->offset = sizeof STATUS_MAGIC - 1;
	if (io_write_at(w->fd, STATUS_MAGIC, w->offset, 0, "queue.status.write") < 0 ||
	    io_sync(w->fd, "queue.status.sync") < 0 || io_sync_dir(LOG_DIR) < 0)
		return err_errno(&w->trouble, errno, "write %s", path);
	return 0;
}

static int status_write_log(struct status_writer *w)
{
	char path[STATUS_PATH];

	if (w->running.n == 0)
		return 0;
	if (w->fd < 0 && status_begin_file(w) < 0)
		return -1;
	if (io_write_at(w->fd, w->running.p, w->running.n, w->offset, "queue.status.write") < 0 ||
	    io_datasync(w->fd, "queue.status.sync") < 0)
		return err_errno(&w->trouble, errno, "write %s", status_path(path, w->file));
	w->offset += w->running.n;
	buf_clear(&w->running);
	return 0;
}

/* Notes go into the files that they are about. A file that is not there has been moved with its
 * notes, or removed. */
static int status_write_files(struct status_writer *w)
{
	struct file_notes *f;
	int result = 0;

	LIST_FOREACH (f, &w->files_running, struct file_notes, node) {
		char *path = qfile_path(f->queue, f->id);

		store_files_lock();
		if (qfile_append(path, buf_view(&f->notes), true) == 0 || errno == ENOENT)
			buf_clear(&f->notes);
		else
			result = err_errno(&w->trouble, errno, "write %s", path);
		store_files_unlock();
		free(path);
	}
	return result;
}

static void status_run(void *arg)
{
	struct queue_store *s = arg;
	struct status_writer *w = &s->status;

	w->error = 0;
	if (status_write_log(w) < 0) {
		w->error = w->trouble.code ? w->trouble.code : EIO;
		/* The file's end is not known any more: the next attempt begins another. */
		if (w->fd >= 0) {
			close(w->fd);
			w->file++;
		}
		w->fd = -1;
	}
	if (status_write_files(w) < 0)
		w->error = w->trouble.code ? w->trouble.code : EIO;
	if (w->fd >= 0 && w->offset > FILE_BYTES) {
		close(w->fd);
		w->fd = -1;
		w->file++;
	}
}

/* --- on the loop */

static void file_notes_free(struct file_notes *f)
{
	list_remove(&f->node);
	buf_free(&f->notes);
	free(f);
}

static void status_complain(struct status_writer *w)
{
	int64_t now = clock_mono_us();

	if (w->error && (w->complained_us == 0 || now - w->complained_us > 60000000)) {
		log_warn("status of messages cannot be recorded now: %s", w->trouble.text);
		w->complained_us = now;
	}
}

/* What was not written comes before what has gathered since. */
static void status_put_back(struct status_writer *w)
{
	struct file_notes *f;

	if (w->running.n > 0) {
		buf_str(&w->running, buf_view(&w->pending));
		buf_free(&w->pending);
		w->pending = w->running;
		w->running = (struct buf){0};
		w->fold_end = 0;
	}
	LIST_FOREACH (f, &w->files_running, struct file_notes, node) {
		struct file_notes *newer = htab_get(&w->files, str_of(f->id));

		if (f->notes.n > 0 && newer) {
			buf_str(&f->notes, buf_view(&newer->notes));
			buf_free(&newer->notes);
			newer->notes = f->notes;
			f->notes = (struct buf){0};
		} else if (f->notes.n > 0) {
			list_remove(&f->node);
			list_append(&w->files_pending, &f->node);
			htab_set(&w->files, str_of(f->id), f);
			continue;
		}
		file_notes_free(f);
	}
}

static void status_flush_due(void *arg)
{
	struct queue_store *s = arg;

	s->status.scheduled = false;
	store_status_flush(s);
}

static void status_schedule(struct queue_store *s, int64_t milliseconds)
{
	if (s->status.scheduled || s->status.busy)
		return;
	s->status.scheduled = true;
	timer_set(&s->status.timer, milliseconds);
}

static void status_done(void *arg)
{
	struct queue_store *s = arg;
	struct status_writer *w = &s->status;
	struct store_waiters waiters = w->waiters_running;

	w->busy = false;
	w->number = w->file;
	w->waiters_running = (struct store_waiters){0};
	status_complain(w);
	status_put_back(w);
	if (w->error)
		status_schedule(s, RETRY_MS);
	else if (w->waiters.n > 0 || w->pending.n > FLUSH_BYTES)
		store_status_flush(s);
	else if (store_status_dirty(s))
		status_schedule(s, FLUSH_MS);
	for (size_t i = 0; i < waiters.n; i++)
		waiters.v[i].done(waiters.v[i].arg, w->error);
	free(waiters.v);
	store_job_end(s);
}

bool store_status_dirty(const struct queue_store *s)
{
	const struct status_writer *w = &s->status;

	return w->pending.n > 0 || !list_empty(&w->files_pending) || w->waiters.n > 0;
}

/* Hands what is pending over to the running side. */
static void status_swap(struct status_writer *w)
{
	struct buf empty = w->running;

	buf_clear(&empty);
	w->running = w->pending;
	w->pending = empty;
	w->fold_end = 0;
	while (!list_empty(&w->files_pending)) {
		struct list *first = w->files_pending.next;

		list_remove(first);
		list_append(&w->files_running, first);
	}
	htab_free(&w->files, NULL);
	w->waiters_running = w->waiters;
	w->waiters = (struct store_waiters){0};
}

void store_status_flush(struct queue_store *s)
{
	struct status_writer *w = &s->status;

	if (w->busy)
		return;
	timer_stop(&w->timer);
	w->scheduled = false;
	status_swap(w);
	w->busy = true;
	store_job_start(s, status_run, status_done, s);
}

static void status_flush_now(void *arg)
{
	struct queue_store *s = arg;

	if (s->status.waiters.n > 0)
		store_status_flush(s);
	store_job_end(s);
}

void queue_store_sync(struct queue_store *s, void (*done)(void *arg, int error), void *arg)
{
	struct store_waiters *all = &s->status.waiters;

	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 16;
		all->v = mem_realloc(all->v, all->cap * sizeof *all->v);
	}
	all->v[all->n++] = (struct store_waiter){done, arg};
	if (all->n == 1 && !s->status.busy) {
		/* at the next turn, with everybody who comes in this one */
		s->jobs++;
		loop_defer(status_flush_now, s);
	}
}

/* --- notes */

static void status_added(struct queue_store *s)
{
	if (s->status.pending.n > FLUSH_BYTES)
		store_status_flush(s);
	else
		status_schedule(s, FLUSH_MS);
}

static void status_log_note(
    struct queue_store *s, const struct queue_ref *ref, enum note_type type, str payload)
{
	struct status_writer *w = &s->status;
	struct store_segment *g = store_segment(s, ref->segment);
	struct note n = note_of(ref, type, payload);
	bool same = w->fold_end > 0 && w->fold_end == w->pending.n &&
		    w->fold_segment == ref->segment && w->fold_offset == ref->offset;

	if (!g || g->generation != ref->generation)
		return;
	if (g->first_status == 0)
		g->first_status = w->number;
	if (!same)
		w->fold_start = w->pending.n;
	/* That a message is finished says all that its statuses could. */
	if (same && type == NOTE_FINISHED)
		buf_cut(&w->pending, w->fold_start);
	note_put(&w->pending, &n);
	w->fold_end = w->pending.n;
	w->fold_segment = ref->segment;
	w->fold_offset = ref->offset;
}

static void status_file_note(
    struct queue_store *s, const struct queue_ref *ref, enum note_type type, str payload)
{
	struct status_writer *w = &s->status;
	struct file_notes *f = htab_get(&w->files, str_of(ref->id));

	if (!f) {
		f = mem_zero(sizeof *f);
		snprintf(f->id, sizeof f->id, "%s", ref->id);
		snprintf(f->queue, sizeof f->queue, "%s", ref->queue);
		list_append(&w->files_pending, &f->node);
		htab_set(&w->files, str_of(ref->id), f);
	}
	note_put_own(&f->notes, type, payload);
}

static void status_note(
    struct queue_store *s, const struct queue_ref *ref, enum note_type type, str payload)
{
	if (ref->lane == LANE_LOG)
		status_log_note(s, ref, type, payload);
	else
		status_file_note(s, ref, type, payload);
	status_added(s);
}

void queue_store_status(
    struct queue_store *s, const struct queue_ref *ref, const struct ipc_rcpt_status *st)
{
	struct buf frame = {0};

	ipc_put(&frame, MSG_RCPT_STATUS, st);
	status_note(s, ref, NOTE_STATUS, buf_view(&frame));
	buf_free(&frame);
}

void queue_store_flags(struct queue_store *s, const struct queue_ref *ref, uint32_t flags)
{
	char p[4];

	le32_put(p, flags);
	status_note(s, ref, NOTE_FLAGS, str_mem(p, sizeof p));
}

void store_status_finished(struct queue_store *s, const struct queue_ref *ref)
{
	struct note n;

	if (ref->lane == LANE_LOG) {
		status_log_note(s, ref, NOTE_FINISHED, STR(""));
	} else {
		n = note_of(ref, NOTE_FINISHED, STR(""));
		note_put(&s->status.pending, &n);
	}
	status_added(s);
}

void store_status_forget_file(struct queue_store *s, const char *id)
{
	struct file_notes *f = htab_del(&s->status.files, str_of(id));

	if (f)
		file_notes_free(f);
}

/* --- opening, closing, old files */

void store_status_open(struct queue_store *s)
{
	struct status_writer *w = &s->status;
	uint64_t *numbers;
	int64_t n = status_list(&numbers, NULL);

	w->fd = -1;
	w->number = w->file = n > 0 ? numbers[n - 1] + 1 : 1;
	w->oldest = n > 0 ? numbers[0] : w->number;
	free(numbers);
	list_init(&w->files_pending);
	list_init(&w->files_running);
	timer_init(&w->timer, status_flush_due, s);
}

void store_status_close(struct queue_store *s)
{
	struct status_writer *w = &s->status;

	timer_free(&w->timer);
	if (!w->busy && store_status_dirty(s)) {
		status_swap(w);
		status_run(s);
		status_complain(w);
		status_put_back(w);
	}
	while (!list_empty(&w->files_pending))
		file_notes_free(LIST_ITEM(w->files_pending.next, struct file_notes, node));
	if (w->fd >= 0)
		close(w->fd);
	htab_free(&w->files, NULL);
	buf_free(&w->pending);
	buf_free(&w->running);
	free(w->waiters.v);
	free(w->waiters_running.v);
}

struct trim_job {
	struct queue_store *store;
	uint64_t from, to; /* files of these numbers, to excluded */
	struct htab dirs;
	uint64_t floor;
	int result;
};

static void trim_run(void *arg)
{
	struct trim_job *j = arg;
	char path[STATUS_PATH];

	/* Their notes call files finished: these must be gone for good before. */
	HTAB_FOREACH (e, &j->dirs)
		if (io_sync_dir(e->key) < 0 && errno != ENOENT)
			j->result = -1;
	for (uint64_t n = j->from; j->result == 0 && n < j->to; n++)
		if (unlink(status_path(path, n)) < 0 && errno != ENOENT)
			j->result = -1;
}

static void trim_done(void *arg)
{
	struct trim_job *j = arg;
	struct queue_store *s = j->store;

	s->trimming = false;
	if (j->result == 0) {
		s->status.oldest = j->to;
	} else {
		HTAB_FOREACH (e, &j->dirs)
			htab_set(&s->unlink_dirs, str_mem(e->key, e->n), s);
		if (j->floor && (!s->unlink_floor || j->floor < s->unlink_floor))
			s->unlink_floor = j->floor;
	}
	htab_free(&j->dirs, NULL);
	free(j);
	store_job_end(s);
}

/* Lowest number of a file that is still needed. */
static uint64_t trim_limit(struct queue_store *s)
{
	uint64_t limit = s->status.number;
	struct store_segment *g;

	LIST_FOREACH (g, &s->segments, struct store_segment, node)
		if (g->state != STORE_FREE && g->first_status && g->first_status < limit)
			limit = g->first_status;
	if (!list_empty(&s->unlinks)) {
		const struct store_unlink *u =
		    LIST_ITEM(s->unlinks.next, struct store_unlink, node);

		if (u->status < limit)
			limit = u->status;
	}
	return limit;
}

void store_trim(struct queue_store *s)
{
	uint64_t limit;
	struct trim_job *j;

	if (s->trimming || s->unlinking || s->status.oldest >= s->status.number || s->status.busy)
		return;
	limit = trim_limit(s);
	if (limit <= s->status.oldest)
		return;
	j = mem_zero(sizeof *j);
	j->store = s;
	j->from = s->status.oldest;
	j->to = limit;
	j->dirs = s->unlink_dirs;
	j->floor = s->unlink_floor;
	s->unlink_dirs = (struct htab){0};
	s->unlink_floor = 0;
	s->trimming = true;
	store_job_start(s, trim_run, trim_done, j);
}
