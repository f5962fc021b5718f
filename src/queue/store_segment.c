/* What the store knows of segments and their messages. */
#include "base/clock.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue/parts.h"
#include <stdlib.h>

#define FREE_SEGMENTS_MAX 6	/* more than these are removed */
#define RETRY_MS	  30000 /* after a failure to free one */

static int64_t now_ms(void)
{
	return clock_mono_us() / 1000;
}

struct store_segment *store_segment(struct queue_store *s, uint64_t number)
{
	struct store_segment *g = s->buckets[number % STORE_BUCKETS];

	while (g && g->number != number)
		g = g->next;
	return g;
}

/* A segment's new life. */
struct store_segment *store_segment_add(struct queue_store *s, uint64_t number, uint64_t generation)
{
	struct store_segment *g = store_segment(s, number);

	if (!g) {
		g = mem_zero(sizeof *g);
		g->number = number;
		g->next = s->buckets[number % STORE_BUCKETS];
		s->buckets[number % STORE_BUCKETS] = g;
		list_append(&s->segments, &g->node);
	} else if (g->state == STORE_FREE && s->free_segments > 0) {
		s->free_segments--;
	}
	free(g->records);
	g->records = NULL;
	g->n = g->cap = g->live = 0;
	g->generation = generation;
	g->state = STORE_ACTIVE;
	g->busy = false;
	g->since_ms = now_ms();
	g->aged_ms = g->retry_ms = 0;
	g->checks = 0;
	g->expected = 0;
	g->first_status = 0;
	return g;
}

/* Index of the first record that is not before place. */
static size_t record_index(const struct store_segment *g, uint32_t place)
{
	size_t low = 0, high = g->n;

	if (g->n > 0 && g->records[g->n - 1].place < place)
		return g->n;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (g->records[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct store_record *store_record(struct store_segment *g, uint64_t offset)
{
	uint32_t place = (uint32_t)(offset / 8);
	size_t i = record_index(g, place);

	return i < g->n && g->records[i].place == place ? &g->records[i] : NULL;
}

bool store_record_add(struct store_segment *g, uint64_t offset, bool live)
{
	uint32_t place = (uint32_t)(offset / 8);
	size_t i = record_index(g, place);

	if (i < g->n && g->records[i].place == place)
		return false;
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 256;
		g->records = mem_realloc(g->records, g->cap * sizeof *g->records);
	}
	memmove(&g->records[i + 1], &g->records[i], (g->n - i) * sizeof *g->records);
	g->records[i] = (struct store_record){place, live};
	g->n++;
	g->live += live;
	return true;
}

void store_record_end(struct queue_store *s, struct store_segment *g, struct store_record *r)
{
	r->live = 0;
	g->live--;
	store_segment_settle(s, g);
}

void store_segments_free(struct queue_store *s)
{
	struct store_segment *g;

	LIST_FOREACH (g, &s->segments, struct store_segment, node) {
		free(g->records);
		free(g);
	}
}

/* --- the end of a life */

struct free_job {
	struct queue_store *store;
	uint64_t number, generation;
	bool remove;
	int result;
	struct err err;
};

static void free_run(void *arg)
{
	struct free_job *j = arg;

	j->result = segment_free(j->number, j->generation, j->remove, &j->err);
}

static void segment_forget(struct queue_store *s, struct store_segment *g)
{
	struct store_segment **at = &s->buckets[g->number % STORE_BUCKETS];

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	list_remove(&g->node);
	free(g->records);
	free(g);
}

static void free_done(void *arg)
{
	struct free_job *j = arg;
	struct queue_store *s = j->store;
	struct store_segment *g = store_segment(s, j->number);

	/* Somebody may have taken it already: then it has a new generation here. */
	if (g && g->generation == j->generation) {
		g->busy = false;
		g->retry_ms = now_ms() + RETRY_MS;
		if (j->result == 0)
			status_index_drop(s->index, g->number, g->generation);
		if (j->result == 0 && j->remove) {
			segment_forget(s, g);
		} else if (j->result == 0) {
			g->state = STORE_FREE;
			g->first_status = 0;
			free(g->records);
			g->records = NULL;
			g->n = g->cap = 0;
			s->free_segments++;
		}
	}
	if (j->result < 0)
		log_warn("%s", j->err.text);
	free(j);
	store_trim(s);
	store_job_end(s);
}

void store_segment_settle(struct queue_store *s, struct store_segment *g)
{
	struct free_job *j;

	if (g->state != STORE_CLOSED || g->live > 0 || g->busy || g->retry_ms > now_ms())
		return;
	j = mem_zero(sizeof *j);
	j->store = s;
	j->number = g->number;
	j->generation = g->generation;
	j->remove = s->free_segments >= FREE_SEGMENTS_MAX;
	g->busy = true;
	store_job_start(s, free_run, free_done, j);
}

void queue_store_segment_closed(struct queue_store *s, uint64_t segment, uint64_t generation)
{
	struct store_segment *g = store_segment(s, segment);

	if (g && (g->generation > generation ||
		     (g->generation == generation && g->state != STORE_ACTIVE)))
		return;
	if (!g || g->generation < generation)
		g = store_segment_add(s, segment, generation);
	g->state = STORE_CLOSING;
	store_check(s, g);
}

/* --- what a salvage found */

void store_warnings(struct buf *lines)
{
	str rest = buf_view(lines), line;

	while (str_split(&rest, '\n', &line))
		if (line.n)
			log_warn("%.*s", STR_FMT(line));
	buf_clear(lines);
}

void store_adopt(struct queue_store *s, struct salvage *v)
{
	struct store_segment *g = store_segment(s, v->head.number);

	store_warnings(&v->warnings);
	if (v->gone || v->head.state == SEGMENT_FREE || (g && g->generation > v->head.generation))
		return;
	if (!g || g->generation < v->head.generation)
		g = store_segment_add(s, v->head.number, v->head.generation);
	if (g->state == STORE_FREE)
		return;
	for (size_t i = 0; i < v->nrefs; i++)
		if (store_record_add(g, v->refs[i].offset, true))
			s->found(&v->refs[i], 0, s->arg);
	/* found() has no hold on g: look again */
	g = store_segment(s, v->head.number);
	if (g && g->generation == v->head.generation && v->head.state == SEGMENT_CLOSED) {
		g->state = STORE_CLOSED;
		store_segment_settle(s, g);
	}
}
