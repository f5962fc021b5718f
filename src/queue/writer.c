/* The log writer: gathers complete messages into batches; one batch is written and synced in the
 * thread pool while the next one gathers.
 *
 * While w->busy, the segment and the batch belong to the pool thread; otherwise to the loop. */
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/mem.h"
#include "log/log.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "queue/io.h"
#include "queue/message.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_AGE_MS 60000 /* then a segment is closed, so that it can be used again */

struct closed {
	uint64_t segment, generation;
};
struct batch {
	struct queue_message **messages;
	size_t n, cap;
	struct iovec *vectors;
	size_t nvectors, vectors_cap;
	bool close;	       /* close the segment when the batch is written */
	struct closed *closed; /* segments that were closed on the way */
	size_t nclosed, closed_cap;
	struct err trouble; /* for the log; code 0 and empty text: none */
};
struct queue_writer {
	void (*on_closed)(uint64_t segment, uint64_t generation);
	struct batch gathering, running;
	bool scheduled, busy;
	struct cond idle;
	struct segment segment;
	uint64_t position; /* where the next batch begins */
	uint64_t end;	   /* behind the last durable record */
	uint32_t sequence; /* of the last durable record */
	uint64_t noticed;  /* generation whose first record has set the timer */
	uint64_t prepared; /* generation for which a successor was made ready */
	bool preparing;
	struct timer timer;
	int64_t complained_us;
};

static void writer_start(void *arg);

/* --- in the pool thread */

static void batch_closed(struct batch *b, const struct segment_head *h)
{
	if (b->nclosed == b->closed_cap) {
		b->closed_cap = b->closed_cap ? 2 * b->closed_cap : 4;
		b->closed = mem_realloc(b->closed, b->closed_cap * sizeof *b->closed);
	}
	b->closed[b->nclosed++] = (struct closed){h->number, h->generation};
}

/* Ends the life of the current segment. */
static void writer_close_segment(struct queue_writer *w, struct batch *b, bool bad)
{
	struct err err;

	if (w->segment.fd < 0)
		return;
	batch_closed(b, &w->segment.head);
	/* When the header cannot be written qmgr finds an ACTIVE segment without a lock, and its
	 * end by its records. */
	if (segment_close(&w->segment, w->end, w->sequence, bad, &err) < 0)
		b->trouble = err;
}

static int writer_take_segment(struct queue_writer *w, struct batch *b)
{
	if (w->segment.fd >= 0)
		return 0;
	if (segment_take(&w->segment, &b->trouble) < 0) {
		w->segment.fd = -1;
		return -1;
	}
	w->position = w->end = SEGMENT_DATA;
	w->sequence = 0;
	return 0;
}

static void batch_vector(struct batch *b, const void *p, size_t n)
{
	if (b->nvectors == b->vectors_cap) {
		b->vectors_cap = b->vectors_cap ? 2 * b->vectors_cap : 64;
		b->vectors = mem_realloc(b->vectors, b->vectors_cap * sizeof *b->vectors);
	}
	if (n)
		b->vectors[b->nvectors++] = (struct iovec){(void *)p, n};
}

/* Lays one message out at offset; returns where the next one goes. */
static uint64_t batch_place(struct queue_writer *w, struct batch *b, struct queue_message *m,
    uint64_t offset, uint32_t sequence)
{
	static const char zero[8];
	struct record_head h = {
	    .generation = w->segment.head.generation,
	    .salt = w->segment.head.salt,
	    .sequence = sequence,
	    .envelope_length = (uint32_t)m->envelope.n,
	    .content_length = (uint32_t)m->content.n,
	    .envelope_crc = crc32c(0, m->envelope.p, m->envelope.n),
	    .content_crc = m->content_crc,
	};
	uint64_t length = record_length(m->envelope.n, m->content.n);

	record_head_put(m->head, &h);
	batch_vector(b, m->head, sizeof m->head);
	batch_vector(b, m->envelope.p, m->envelope.n);
	batch_vector(b, m->content.p, m->content.n);
	batch_vector(b, zero, length - RECORD_HEAD - m->envelope.n - m->content.n);
	m->ref->segment = w->segment.head.number;
	m->ref->generation = w->segment.head.generation;
	m->ref->offset = offset;
	m->ref->length = length;
	m->ref->content_offset = offset + RECORD_HEAD + m->envelope.n;
	m->ref->content_length = m->content.n;
	return offset + length;
}

/* As many messages as fit into the segment, from the first on; their number. *end: behind the last.
 */
static size_t batch_layout(struct queue_writer *w, struct batch *b, size_t first, uint64_t *end)
{
	uint64_t offset = w->position, size = w->segment.head.size;
	size_t i;

	b->nvectors = 0;
	for (i = first; i < b->n; i++) {
		struct queue_message *m = b->messages[i];

		if (offset + record_length(m->envelope.n, m->content.n) > size)
			break;
		offset = batch_place(w, b, m, offset, w->sequence + 1 + (uint32_t)(i - first));
	}
	*end = offset;
	return i - first;
}

/* A batch that failed may be in the page cache, or partly on the disk. It must not be taken for
 * mail later. */
static void batch_erase(struct queue_writer *w)
{
	static const char zero[RECORD_HEAD];

	io_write_at(w->segment.fd, zero, sizeof zero, w->position, "queue.log.write");
}

static int batch_write(struct queue_writer *w, struct batch *b, uint64_t end, size_t n)
{
	int fd = w->segment.fd;
	const char *what = "write";

	if (io_writev_at(fd, b->vectors, b->nvectors, w->position, "queue.log.write") == 0) {
		what = "sync";
		if (io_datasync(fd, "queue.log.sync") == 0) {
			w->end = end;
			w->position = batch_align(end);
			w->sequence += (uint32_t)n;
			return 0;
		}
	}
	err_errno(
	    &b->trouble, errno, "%s log segment %06u", what, (unsigned)w->segment.head.number);
	batch_erase(w);
	return -1;
}

static void batch_fail(struct batch *b, size_t first, int error)
{
	for (size_t i = first; i < b->n; i++)
		b->messages[i]->error = error ? error : EIO;
}

static void batch_run(void *arg)
{
	struct queue_writer *w = arg;
	struct batch *b = &w->running;
	size_t done = 0;

	while (done < b->n) {
		uint64_t end;
		size_t n;

		if (writer_take_segment(w, b) < 0) {
			batch_fail(b, done, b->trouble.code);
			return;
		}
		n = batch_layout(w, b, done, &end);
		if (n > 0 && batch_write(w, b, end, n) < 0) {
			batch_fail(b, done, b->trouble.code);
			writer_close_segment(w, b, true);
			return;
		}
		done += n;
		if (done < b->n)
			writer_close_segment(w, b, false);
	}
	if (b->close)
		writer_close_segment(w, b, false);
}

static void prepare_run(void *arg)
{
	(void)arg;
	segment_prepare(NULL); /* when it fails, the next batch makes one and says why it cannot */
}

/* --- on the loop */

static void prepare_done(void *arg)
{
	struct queue_writer *w = arg;

	w->preparing = false;
	cond_wake_all(&w->idle);
}

/* At most one line a minute about a disk in trouble. */
static void writer_complain(struct queue_writer *w, struct batch *b)
{
	int64_t now = clock_mono_us();

	if (b->trouble.text[0] && (w->complained_us == 0 || now - w->complained_us > 60000000)) {
		log_warn("%s", b->trouble.text);
		w->complained_us = now;
	}
	b->trouble = (struct err){0};
}

static void writer_look_ahead(struct queue_writer *w)
{
	const struct segment_head *h = &w->segment.head;

	if (w->segment.fd < 0)
		return;
	if (w->sequence > 0 && w->noticed != h->generation) {
		w->noticed = h->generation;
		timer_set(&w->timer, fault_time("queue.segment.age", SEGMENT_AGE_MS));
	}
	if (w->position > h->size / 2 && w->prepared != h->generation && !w->preparing) {
		w->prepared = h->generation;
		w->preparing = true;
		work_start(prepare_run, prepare_done, w);
	}
}

static void batch_done(void *arg)
{
	struct queue_writer *w = arg;
	struct batch *b = &w->running;

	w->busy = false;
	for (size_t i = 0; i < b->n; i++) {
		b->messages[i]->done = true;
		cond_wake_all(&b->messages[i]->cond);
	}
	for (size_t i = 0; i < b->nclosed && w->on_closed; i++)
		w->on_closed(b->closed[i].segment, b->closed[i].generation);
	writer_complain(w, b);
	b->n = b->nclosed = 0;
	b->close = false;
	writer_look_ahead(w);
	if (w->gathering.n > 0 || w->gathering.close)
		writer_start(w);
	else
		cond_wake_all(&w->idle);
}

static void writer_start(void *arg)
{
	struct queue_writer *w = arg;
	struct batch b;

	w->scheduled = false;
	if (w->busy)
		return;
	b = w->running;
	w->running = w->gathering;
	w->gathering = b;
	w->busy = true;
	work_start(batch_run, batch_done, w);
}

/* The batch begins at the next turn of the loop: who is ready in this one is in it. */
static void writer_schedule(struct queue_writer *w)
{
	if (w->busy || w->scheduled)
		return;
	w->scheduled = true;
	loop_defer(writer_start, w);
}

static void writer_aged(void *arg)
{
	struct queue_writer *w = arg;

	w->gathering.close = true;
	writer_schedule(w);
}

int writer_append(struct queue_writer *w, struct queue_message *m, struct queue_ref *ref)
{
	struct batch *b = &w->gathering;

	if (b->n == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 64;
		b->messages = mem_realloc(b->messages, b->cap * sizeof *b->messages);
	}
	*ref = (struct queue_ref){.lane = LANE_LOG, .queue = "log"};
	snprintf(ref->id, sizeof ref->id, "%s", m->id);
	m->ref = ref;
	m->done = false;
	m->error = 0;
	b->messages[b->n++] = m;
	writer_schedule(w);
	/* The pool thread reads the message's memory: it cannot be taken back. */
	co_shield(true);
	while (!m->done)
		cond_wait(&m->cond, FOREVER);
	co_shield(false);
	return m->error;
}

struct queue_writer *queue_writer_new(void (*on_closed)(uint64_t segment, uint64_t generation))
{
	struct queue_writer *w = mem_zero(sizeof *w);

	w->on_closed = on_closed;
	w->segment.fd = -1;
	cond_init(&w->idle);
	timer_init(&w->timer, writer_aged, w);
	return w;
}

static void batch_free(struct batch *b)
{
	free(b->messages);
	free(b->vectors);
	free(b->closed);
}

void queue_writer_free(struct queue_writer *w)
{
	if (!w)
		return;
	co_shield(true);
	while (w->busy || w->scheduled || w->preparing)
		cond_wait(&w->idle, FOREVER);
	co_shield(false);
	timer_free(&w->timer);
	if (w->segment.fd >= 0) {
		uint64_t number = w->segment.head.number, generation = w->segment.head.generation;

		/* One header, at the end of a process: not worth a wait. */
		segment_close(&w->segment, w->end, w->sequence, false, NULL);
		if (w->on_closed)
			w->on_closed(number, generation);
	}
	batch_free(&w->gathering);
	batch_free(&w->running);
	free(w);
}
