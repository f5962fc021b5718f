/* What the store looks after by itself: closed segments, dead writers, messages that stay too long
 * in the log. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue/io.h"
#include "queue/parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SWEEP_MS 10000 /* between two looks for dead writers */
#define CHECK_MS 2000  /* announcements may be on their way when a segment is closed */
#define AGED_MS	 30000 /* until a message that stays is reported again */
#define FRESH_MS                                                                                   \
	600000 /* announcements of files that were found at the start may come for so long */
#define HEAD_ENOUGH 512 /* of a record: its head and the envelope's first frame */

static int64_t now_ms(void)
{
	return clock_mono_us() / 1000;
}

/* --- is every message of a closed segment known? */

struct check_job {
	struct queue_store *store;
	uint64_t number, generation;
	size_t known;
	uint64_t expected;
	bool scan; /* read what is there; else only compare the number of records */
	bool complete, again;
	struct salvage found;
	struct err err;
};

static void check_run(void *arg)
{
	struct check_job *j = arg;
	struct segment seg;

	if (segment_open(&seg, j->number, O_RDONLY, &j->err) < 0) {
		j->again = j->err.code != ENOENT;
		j->complete = !j->again;
		return;
	}
	segment_release(&seg);
	if (seg.head.generation != j->generation) {
		j->complete = true;
	} else if (seg.head.state == SEGMENT_CLOSED && seg.head.records == j->known) {
		j->complete = true;
	} else if (seg.head.state == SEGMENT_CLOSED && !j->scan) {
		j->expected = seg.head.records;
	} else if (j->scan) {
		j->again = salvage_segment(j->number, &j->found, &j->err) < 0;
		j->complete = !j->again;
	}
}

static void check_done(void *arg)
{
	struct check_job *j = arg;
	struct queue_store *s = j->store;
	struct store_segment *g = store_segment(s, j->number);

	if (g && g->generation == j->generation && g->state == STORE_CLOSING) {
		g->busy = false;
		g->checks++;
		g->retry_ms = now_ms() + CHECK_MS;
		if (j->found.head.generation)
			store_adopt(s, &j->found);
		if (j->complete || j->expected) {
			g->expected = j->complete ? g->n : j->expected;
			store_segment_counted(s, g);
		}
	}
	if (j->again && j->err.text[0])
		log_warn("%s", j->err.text);
	salvage_free(&j->found);
	free(j);
	store_job_end(s);
}

void store_segment_counted(struct queue_store *s, struct store_segment *g)
{
	if (g->state != STORE_CLOSING || g->n != g->expected || g->busy)
		return;
	g->state = STORE_CLOSED;
	g->retry_ms = 0;
	store_segment_settle(s, g);
}

void store_check(struct queue_store *s, struct store_segment *g)
{
	struct check_job *j;

	if (g->busy || g->state != STORE_CLOSING || g->retry_ms > now_ms())
		return;
	j = mem_zero(sizeof *j);
	j->store = s;
	j->number = g->number;
	j->generation = g->generation;
	j->known = g->n;
	j->scan = g->checks > 0;
	g->busy = true;
	store_job_start(s, check_run, check_done, j);
}

/* --- segments whose writer died, or whose messages nobody announced */

struct known {
	uint64_t number, generation;
	enum store_state state;
};
struct sweep_job {
	struct queue_store *store;
	struct known *known;
	size_t nknown;
	struct salvage *found;
	size_t nfound;
	struct err err;
};

static const struct known *sweep_known(const struct sweep_job *j, uint64_t number)
{
	for (size_t i = 0; i < j->nknown; i++)
		if (j->known[i].number == number)
			return &j->known[i];
	return NULL;
}

/* Is this a segment that only a salvage tells us the truth about? */
static bool sweep_wants(const struct sweep_job *j, uint64_t number)
{
	const struct known *k = sweep_known(j, number);
	struct segment seg;
	bool wants = false;

	if (segment_open(&seg, number, O_RDWR, NULL) < 0)
		return false;
	if (seg.head.state == SEGMENT_ACTIVE)
		wants = segment_lock(seg.fd);
	else if (seg.head.state == SEGMENT_CLOSED)
		wants = !k || k->generation < seg.head.generation ||
			(k->generation == seg.head.generation && k->state == STORE_ACTIVE);
	segment_release(&seg);
	return wants;
}

static void sweep_run(void *arg)
{
	struct sweep_job *j = arg;
	uint64_t *numbers;
	int64_t n = segment_list(&numbers, &j->err);

	for (int64_t i = 0; i < n; i++) {
		struct salvage v;

		if (!sweep_wants(j, numbers[i]))
			continue;
		if (salvage_segment(numbers[i], &v, &j->err) < 0) {
			salvage_free(&v);
			continue;
		}
		j->found = mem_realloc(j->found, (j->nfound + 1) * sizeof *j->found);
		j->found[j->nfound++] = v;
	}
	free(numbers);
}

static void sweep_done(void *arg)
{
	struct sweep_job *j = arg;
	struct queue_store *s = j->store;

	for (size_t i = 0; i < j->nfound; i++) {
		store_adopt(s, &j->found[i]);
		salvage_free(&j->found[i]);
	}
	s->sweeping = false;
	free(j->found);
	free(j->known);
	free(j);
	store_job_end(s);
}

void store_sweep(struct queue_store *s)
{
	struct sweep_job *j;
	struct store_segment *g;
	size_t n = 0;

	if (s->sweeping)
		return;
	j = mem_zero(sizeof *j);
	j->store = s;
	LIST_FOREACH (g, &s->segments, struct store_segment, node)
		n++;
	j->known = mem_zero((n + 1) * sizeof *j->known);
	LIST_FOREACH (g, &s->segments, struct store_segment, node)
		j->known[j->nknown++] = (struct known){g->number, g->generation, g->state};
	s->sweeping = true;
	store_job_start(s, sweep_run, sweep_done, j);
}

/* --- messages that should leave the log */

struct age_job {
	struct queue_store *store;
	uint64_t number, generation;
	struct queue_ref *refs; /* offsets first; the rest is read */
	size_t n;
	void (*old)(const struct queue_ref *ref, void *arg);
	void *arg;
};

/* Fills in a message's place from its record; false when it cannot be read. */
static bool age_read(int fd, struct queue_ref *ref)
{
	unsigned char p[HEAD_ENOUGH];
	ssize_t got = pread(fd, p, sizeof p, (off_t)ref->offset);
	struct segment_record r = {.offset = ref->offset};

	if (got < RECORD_HEAD || !record_head_get(p, &r.head) ||
	    r.head.generation != ref->generation)
		return false;
	r.length = record_length(r.head.envelope_length, r.head.content_length);
	r.content_offset = r.offset + RECORD_HEAD + r.head.envelope_length;
	r.envelope =
	    str_head(str_mem(p + RECORD_HEAD, (size_t)got - RECORD_HEAD), r.head.envelope_length);
	return record_ref(&r, ref->segment, ref);
}

static void age_run(void *arg)
{
	struct age_job *j = arg;
	char path[SEGMENT_PATH];
	int fd = io_open(segment_path(path, j->number), O_RDONLY, 0, "queue.segment.open");
	size_t kept = 0;

	for (size_t i = 0; fd >= 0 && i < j->n; i++)
		if (age_read(fd, &j->refs[i]))
			j->refs[kept++] = j->refs[i];
	j->n = kept;
	if (fd >= 0)
		close(fd);
}

static void age_done(void *arg)
{
	struct age_job *j = arg;
	struct queue_store *s = j->store;

	for (size_t i = 0; i < j->n; i++) {
		struct store_segment *g = store_segment(s, j->number);
		struct store_record *r =
		    g && g->generation == j->generation ? store_record(g, j->refs[i].offset) : NULL;

		if (r && r->live)
			j->old(&j->refs[i], j->arg);
	}
	free(j->refs);
	free(j);
	store_job_end(s);
}

static void store_age_segment(struct queue_store *s, struct store_segment *g,
    void (*old)(const struct queue_ref *ref, void *arg), void *arg)
{
	struct age_job *j = mem_zero(sizeof *j);

	j->store = s;
	j->number = g->number;
	j->generation = g->generation;
	j->old = old;
	j->arg = arg;
	j->refs = mem_zero(g->live * sizeof *j->refs);
	for (size_t i = 0; i < g->n; i++)
		if (g->records[i].live)
			j->refs[j->n++] = (struct queue_ref){.segment = g->number,
			    .generation = g->generation,
			    .offset = (uint64_t)g->records[i].place * 8};
	store_job_start(s, age_run, age_done, j);
}

void queue_store_age(struct queue_store *s, int seconds,
    void (*old)(const struct queue_ref *ref, void *arg), void *arg)
{
	struct store_segment *g;
	int64_t now = now_ms(), age = fault_time("queue.log.age", seconds * INT64_C(1000));

	LIST_FOREACH (g, &s->segments, struct store_segment, node) {
		store_check(s, g);
		if (g->live > 0 && g->state != STORE_FREE && now - g->since_ms > age &&
		    (g->aged_ms == 0 || now - g->aged_ms > AGED_MS)) {
			g->aged_ms = now;
			store_age_segment(s, g, old, arg);
		}
		store_segment_settle(s, g);
	}
	if (now - s->swept_ms > SWEEP_MS) {
		s->swept_ms = now;
		store_sweep(s);
	}
	store_unlinks_start(s); /* what could not be removed before */
	if (s->fresh.count && now - s->opened_ms > FRESH_MS)
		htab_free(&s->fresh, NULL);
	store_trim(s);
}
