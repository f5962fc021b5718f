/* qmgr's hold on the queue: opening with recovery, closing, and what is known of each message. */
#include "queue/store.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/work.h"
#include "queue/parts.h"
#include "queue/qfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE    LOG_DIR "/lock"
#define STALE_FILE_S 3600 /* temporary files older than this are removed at the start */
#define LOCK_TRIES   50	  /* of 100 ms: a qmgr that is ending */

void store_job_start(
    struct queue_store *s, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	s->jobs++;
	work_start(run, done, arg);
}

void store_job_end(struct queue_store *s)
{
	if (--s->jobs == 0)
		cond_wake_all(&s->idle);
}

/* --- recovery */

struct survivor { /* a living message of the log */
	struct queue_ref ref;
	bool superseded; /* it is in a file as well: the move was complete but for its note */
};
struct recovery {
	struct queue_store *store;
	struct survivor *v;
	size_t n, cap;
	struct htab by_id; /* index + 1 into v */
	const char *queue; /* being walked */
	size_t damaged;
};

static void recover_record(struct recovery *r, struct store_segment *g, const struct queue_ref *ref)
{
	bool live =
	    !status_index_finished(r->store->index, ref->segment, ref->generation, ref->offset);

	if (!store_record_add(g, ref->offset, live) || !live)
		return;
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 256;
		r->v = mem_realloc(r->v, r->cap * sizeof *r->v);
	}
	r->v[r->n++] = (struct survivor){.ref = *ref};
	htab_set(&r->by_id, str_of(ref->id), (void *)(uintptr_t)r->n);
}

static void recover_segment(struct recovery *r, uint64_t number)
{
	struct queue_store *s = r->store;
	struct store_segment *g;
	struct salvage v;
	struct err err;

	if (salvage_segment(number, &v, &err) < 0) {
		if (err.code != EAGAIN && err.code != ENOENT)
			log_warn("%s", err.text);
		salvage_free(&v);
		return;
	}
	store_warnings(&v.warnings);
	if (!v.gone) {
		g = store_segment_add(s, number, v.head.generation);
		for (size_t i = 0; i < v.nrefs; i++)
			recover_record(r, g, &v.refs[i]);
		g->first_status = s->status.oldest;
		g->state = v.head.state == SEGMENT_FREE	    ? STORE_FREE
			   : v.head.state == SEGMENT_ACTIVE ? STORE_ACTIVE
							    : STORE_CLOSED;
		s->free_segments += g->state == STORE_FREE;
	}
	salvage_free(&v);
}

static int recover_log(struct recovery *r, struct err *err)
{
	uint64_t *numbers;
	int64_t n = segment_list(&numbers, err);

	for (int64_t i = 0; i < n; i++)
		recover_segment(r, numbers[i]);
	free(numbers);
	return n < 0 ? -1 : 0;
}

/* Is the header of a queue file good? What cannot be read now may be readable later. */
static bool recover_check(const char *path, struct err *err)
{
	struct qfile_head h;
	int fd = qfile_open(path, O_RDONLY, &h, err);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || err->code != EBADMSG;
}

/* Nothing may be wrong with a file for which the log's copy is given up. */
static bool recover_is_whole(const char *path, struct err *err)
{
	struct arena a = {0};
	struct envelope e;
	struct qfile_head h;
	int fd = qfile_open(path, O_RDONLY, &h, err);
	bool whole = fd >= 0 && qfile_read_envelope(fd, &h, &e, &a, NULL, err) == 0 &&
		     qfile_check_content(fd, &h, err) == 0;

	if (fd >= 0)
		close(fd);
	arena_free(&a);
	return whole;
}

static struct queue_ref *recover_ref(
    const struct recovery *r, const char *id, struct queue_ref *ref)
{
	*ref = (struct queue_ref){.lane = LANE_FILE};
	snprintf(ref->id, sizeof ref->id, "%s", id);
	snprintf(ref->queue, sizeof ref->queue, "%s", r->queue);
	return ref;
}

static bool recover_file(const char *path, const char *id, void *arg)
{
	struct recovery *r = arg;
	struct queue_ref ref;
	uintptr_t index = (uintptr_t)htab_get(&r->by_id, str_of(id));
	struct err err;
	struct stat st;

	if (index) {
		if (!recover_is_whole(path, &err)) {
			queue_store_corrupt(r->store, recover_ref(r, id, &ref), err.text);
			return true;
		}
		r->v[index - 1].superseded = true;
	}
	if (strcmp(r->queue, "maildrop") == 0 || lstat(path, &st) < 0 || !(st.st_mode & S_IXUSR))
		return true;
	recover_ref(r, id, &ref);
	if (status_index_file_finished(r->store->index, id)) {
		store_unlink(r->store, &ref);
		return true;
	}
	if (strcmp(r->queue, "deferred") != 0 && !recover_check(path, &err)) {
		queue_store_corrupt(r->store, &ref, err.text);
		return true;
	}
	if (strcmp(r->queue, "incoming") == 0)
		htab_set(&r->store->fresh, str_of(id), r->store);
	r->store->found(
	    &ref, strcmp(r->queue, "deferred") == 0 ? (int64_t)st.st_mtime : 0, r->store->arg);
	return true;
}

static int recover_files(struct recovery *r, struct err *err)
{
	static const char *const queues[] = {"incoming", "active", "deferred", "hold", "maildrop"};

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		struct err bad;

		r->queue = queues[i];
		if (qfile_walk(queues[i], false, recover_file, r, &bad) < 0 && bad.code != ENOENT) {
			if (err)
				*err = bad;
			return -1;
		}
		if (strcmp(queues[i], "maildrop") != 0)
			qfile_purge(queues[i], STALE_FILE_S);
	}
	return 0;
}

static void recover_report(struct recovery *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].superseded)
			queue_store_finish(r->store, &r->v[i].ref);
		else
			r->store->found(&r->v[i].ref, 0, r->store->arg);
	}
}

static void recover_note(const struct note *n, void *arg)
{
	status_index_note(arg, n);
}

static int store_recover(struct queue_store *s, struct err *err)
{
	struct recovery r = {.store = s};
	int result;
	struct store_segment *g;

	s->index = status_index_new();
	result = status_read_all(recover_note, s->index, err);
	status_index_current = s->index;
	if (result == 0)
		result = recover_log(&r, err);
	if (result == 0)
		result = recover_files(&r, err);
	if (result == 0) {
		recover_report(&r);
		LIST_FOREACH (g, &s->segments, struct store_segment, node)
			store_segment_settle(s, g);
	}
	htab_free(&r.by_id, NULL);
	free(r.v);
	return result;
}

/* --- opening and closing */

static int store_lock(struct err *err)
{
	int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, errno, "open %s", LOCK_FILE);
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		usleep(100000);
	}
	close(fd);
	return err_errno(
	    err, EWOULDBLOCK, "another process manages this queue (%s is locked)", LOCK_FILE);
}

struct queue_store *queue_store_open(
    void (*found)(const struct queue_ref *ref, int64_t next_attempt_s, void *arg), void *arg,
    struct err *err)
{
	int lock = store_lock(err);
	struct queue_store *s;

	if (lock < 0)
		return NULL;
	s = mem_zero(sizeof *s);
	s->found = found;
	s->arg = arg;
	s->lock = lock;
	list_init(&s->segments);
	list_init(&s->moves);
	list_init(&s->unlinks);
	cond_init(&s->idle);
	s->opened_ms = s->swept_ms = clock_mono_us() / 1000;
	store_status_open(s);
	if (store_recover(s, err) == 0)
		return s;
	queue_store_close(s);
	return NULL;
}

void queue_store_close(struct queue_store *s)
{
	if (!s)
		return;
	/* Jobs call back and may begin others. */
	while (co_self() && (s->jobs > 0 || store_status_dirty(s))) {
		if (s->jobs == 0)
			store_status_flush(s);
		if (s->jobs > 0)
			cond_wait(&s->idle, FOREVER);
		if (s->status.error)
			break;
	}
	store_status_close(s);
	status_index_current = NULL;
	if (s->jobs > 0) {
		/* At an end without coroutines jobs still hold s. */
		close(s->lock);
		return;
	}
	store_unlinks_free(s);
	store_segments_free(s);
	status_index_free(s->index);
	htab_free(&s->fresh, NULL);
	htab_free(&s->unlink_dirs, NULL);
	close(s->lock);
	free(s);
}

/* --- messages */

bool queue_store_new(struct queue_store *s, const struct queue_ref *ref)
{
	struct store_segment *g;

	if (ref->lane == LANE_FILE)
		return !s->fresh.count || !htab_get(&s->fresh, str_of(ref->id));
	g = store_segment(s, ref->segment);
	if (g && g->generation > ref->generation)
		return false;
	if (!g || g->generation < ref->generation)
		g = store_segment_add(s, ref->segment, ref->generation);
	else if (g->state == STORE_FREE)
		return false;
	if (!store_record_add(g, ref->offset, true))
		return false;
	if (g->state == STORE_CLOSING && g->expected)
		store_segment_counted(s, g);
	return true;
}

void queue_store_finish(struct queue_store *s, const struct queue_ref *ref)
{
	struct store_segment *g;
	struct store_record *r;

	if (ref->lane == LANE_FILE) {
		store_status_forget_file(s, ref->id);
		store_status_finished(s, ref);
		store_unlink(s, ref);
		return;
	}
	g = store_segment(s, ref->segment);
	r = g && g->generation == ref->generation ? store_record(g, ref->offset) : NULL;
	if (!r || !r->live)
		return;
	store_status_finished(s, ref);
	store_record_end(s, g, r);
}
