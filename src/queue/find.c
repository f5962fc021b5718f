/* Reading messages where they lie: for qmgr and for tools that look at the disk while others change
 * it. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/io.h"
#include "queue/note.h"
#include "queue/qfile.h"
#include "queue/queue.h"
#include "queue/segment.h"
#include "queue/statuslog.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- one message's envelope */

struct merge {
	const struct queue_ref *ref;
	struct envelope *e;
	struct arena *a;
};

static void merge_note(const struct note *n, void *arg)
{
	struct merge *m = arg;

	if (n->lane == LANE_LOG && n->segment == m->ref->segment &&
	    n->generation == m->ref->generation && n->offset == m->ref->offset)
		note_merge(n, m->e, m->a);
}

static int read_log_record(
    int fd, struct queue_ref *ref, struct envelope *e, struct arena *a, struct err *err)
{
	unsigned char p[RECORD_HEAD];
	struct record_head h;
	struct buf env = {0};
	int result = -1;

	if (io_read_at(fd, p, sizeof p, ref->offset, "queue.log.read") < 0)
		return err_errno(err, errno, "read log record");
	/* Another generation: it is finished, and its segment in use again. */
	if (!record_head_get(p, &h) || h.generation != ref->generation)
		return err_errno(err, ENOENT, "the message is no longer there");
	if (io_read_at(fd, buf_room(&env, h.envelope_length), h.envelope_length,
		ref->offset + RECORD_HEAD, "queue.log.read") < 0) {
		err_errno(err, errno, "read log record");
	} else if (crc32c(0, env.p, h.envelope_length) != h.envelope_crc) {
		err_errno(err, EBADMSG, "envelope: wrong checksum");
	} else {
		buf_added(&env, h.envelope_length);
		result = envelope_decode(e, a, buf_view(&env), err);
		ref->content_offset = ref->offset + RECORD_HEAD + h.envelope_length;
		ref->content_length = h.content_length;
	}
	buf_free(&env);
	return result;
}

static int read_log_envelope(
    struct queue_ref *ref, struct envelope *e, struct arena *a, struct err *err)
{
	struct merge merge = {ref, e, a};
	char path[SEGMENT_PATH];
	int fd = io_open(segment_path(path, ref->segment), O_RDONLY, 0, "queue.segment.open"),
	    result;

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	result = read_log_record(fd, ref, e, a, err);
	close(fd);
	if (result < 0)
		return err_prefix(err, "%s", path);
	if (status_index_current)
		status_index_merge(status_index_current, ref, e, a);
	else
		result = status_read_all(merge_note, &merge, err);
	return result;
}

static int read_file_envelope(
    struct queue_ref *ref, struct envelope *e, struct arena *a, struct err *err)
{
	char *path = qfile_path(ref->queue, ref->id);
	struct qfile_head h;
	int fd = qfile_open(path, O_RDONLY, &h, err), result = -1;

	if (fd >= 0) {
		result = qfile_read_envelope(fd, &h, e, a, NULL, err);
		if (result < 0)
			err_prefix(err, "%s", path);
		ref->content_offset = h.content_offset;
		ref->content_length = h.content_length;
		close(fd);
	}
	free(path);
	return result;
}

int queue_read_envelope(struct queue_ref *ref, struct envelope *e, struct arena *a, struct err *err)
{
	return ref->lane == LANE_LOG ? read_log_envelope(ref, e, a, err)
				     : read_file_envelope(ref, e, a, err);
}

/* --- the log lane as tools see it */

struct log_scan {
	struct status_index *done;
	const char *id; /* NULL: all */
	uint64_t generation;
	uint64_t segment;
	bool (*fn)(const struct queue_ref *ref, void *arg);
	void *arg;
	bool stopped;
};

bool record_ref(const struct segment_record *r, uint64_t segment, struct queue_ref *ref)
{
	str rest = r->envelope;
	struct ipc_msg m;

	if (ipc_take(&rest, &m, NULL) != 0 || m.type != MSG_ENV_MESSAGE ||
	    !queue_id_valid(m.env_message.queue_id))
		return false;
	*ref = (struct queue_ref){
	    .lane = LANE_LOG,
	    .queue = "log",
	    .segment = segment,
	    .generation = r->head.generation,
	    .offset = r->offset,
	    .length = r->length,
	    .content_offset = r->content_offset,
	    .content_length = r->head.content_length,
	};
	memcpy(ref->id, m.env_message.queue_id.p, m.env_message.queue_id.n);
	return true;
}

static bool log_scan_record(const struct segment_record *r, void *arg)
{
	struct log_scan *s = arg;
	struct queue_ref ref;

	if (r->damage || !record_ref(r, s->segment, &ref))
		return true;
	if (s->id && strcmp(s->id, ref.id) != 0)
		return true;
	if (status_index_finished(s->done, ref.segment, ref.generation, ref.offset))
		return true;
	s->stopped = !s->fn(&ref, s->arg);
	return !s->stopped;
}

static void log_scan_note(const struct note *n, void *arg)
{
	if (n->type == NOTE_FINISHED)
		status_index_note(arg, n);
}

/* Calls fn for the living messages of the log lane. 0, 1 stopped, -1 and err. */
static int log_scan(
    const char *id, bool (*fn)(const struct queue_ref *ref, void *arg), void *arg, struct err *err)
{
	struct log_scan s = {.id = id, .fn = fn, .arg = arg, .done = status_index_new()};
	uint64_t *numbers;
	int64_t n = segment_list(&numbers, err);
	int result = n < 0 ? -1 : status_read_all(log_scan_note, s.done, err);

	for (int64_t i = 0; result == 0 && i < n && !s.stopped; i++) {
		struct segment seg;

		if (segment_open(&seg, numbers[i], O_RDONLY, NULL) < 0)
			continue;
		s.segment = numbers[i];
		if (seg.head.state != SEGMENT_FREE)
			segment_scan(
			    &seg, seg.head.state == SEGMENT_ACTIVE, log_scan_record, &s, NULL);
		segment_release(&seg);
	}
	free(numbers);
	status_index_free(s.done);
	return result < 0 ? -1 : s.stopped ? 1 : 0;
}

/* --- looking up and listing */

static bool find_file(const char *id, struct queue_ref *ref)
{
	static const char *const queues[] = {
	    "incoming", "active", "deferred", "hold", "corrupt", "maildrop"};

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		char *path = qfile_path(queues[i], id);
		bool found = access(path, F_OK) == 0;

		free(path);
		if (!found)
			continue;
		*ref = (struct queue_ref){.lane = LANE_FILE};
		snprintf(ref->id, sizeof ref->id, "%s", id);
		snprintf(ref->queue, sizeof ref->queue, "%s", queues[i]);
		return true;
	}
	return false;
}

static bool find_log(const struct queue_ref *ref, void *arg)
{
	*(struct queue_ref *)arg = *ref;
	return false;
}

int queue_find(const char *id, struct queue_ref *ref, struct err *err)
{
	int result;

	if (!queue_id_valid(str_of(id)))
		return 1;
	if (find_file(id, ref))
		return 0;
	result = log_scan(id, find_log, ref, err);
	if (result != 0)
		return result == 1 ? 0 : -1;
	/* It may have gone from one queue to another, or from the log into a file, meanwhile. */
	return find_file(id, ref) ? 0 : 1;
}

struct file_scan {
	const char *queue;
	bool (*fn)(const struct queue_ref *ref, void *arg);
	void *arg;
};

static bool scan_file(const char *path, const char *id, void *arg)
{
	struct file_scan *s = arg;
	struct queue_ref ref = {.lane = LANE_FILE};

	(void)path;
	snprintf(ref.id, sizeof ref.id, "%s", id);
	snprintf(ref.queue, sizeof ref.queue, "%s", s->queue);
	return s->fn(&ref, s->arg);
}

int queue_scan(const char *queue, bool (*fn)(const struct queue_ref *ref, void *arg), void *arg,
    struct err *err)
{
	struct file_scan s = {.fn = fn, .arg = arg};
	int result = 0;

	if (!queue || strcmp(queue, "active") == 0)
		result = log_scan(NULL, fn, arg, err);
	if (result == 0 && queue) {
		s.queue = queue;
		result = qfile_walk(queue, false, scan_file, &s, err);
	}
	for (const char *const *q = qfile_queues; result == 0 && !queue && *q; q++) {
		s.queue = *q;
		result = qfile_walk(*q, false, scan_file, &s, err);
	}
	return result < 0 ? -1 : 0;
}
