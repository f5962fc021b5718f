#include "queue/statuslog.h"

#include "base/file.h"
#include "base/htab.h"
#include "base/mem.h"
#include "queue/segment.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_FILE_MAX ((size_t)1 << 30)

char *status_path(char out[STATUS_PATH], uint64_t number)
{
	snprintf(out, STATUS_PATH, LOG_DIR "/status.%06" PRIu64, number);
	return out;
}

static int status_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool status_number(const char *name, uint64_t *number)
{
	return strncmp(name, "status.", 7) == 0 && strlen(name) <= 20 &&
	       str_to_u64(str_of(name + 7), number);
}

int64_t status_list(uint64_t **out, struct err *err)
{
	DIR *dir = opendir(LOG_DIR);
	size_t n = 0, cap = 0;
	struct dirent *e;
	uint64_t number;

	*out = NULL;
	if (!dir)
		return err_errno(err, errno, "open directory %s", LOG_DIR);
	while ((e = readdir(dir))) {
		if (!status_number(e->d_name, &number))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			*out = mem_realloc(*out, cap * sizeof **out);
		}
		(*out)[n++] = number;
	}
	closedir(dir);
	if (n > 1)
		qsort(*out, n, sizeof **out, status_compare);
	return (int64_t)n;
}

int status_read(
    uint64_t number, void (*fn)(const struct note *n, void *arg), void *arg, struct err *err)
{
	char path[STATUS_PATH];
	struct buf all = {0};
	struct note n;
	str rest;

	if (file_read(status_path(path, number), STATUS_FILE_MAX, &all, err) < 0) {
		buf_free(&all);
		return -1;
	}
	rest = buf_view(&all);
	if (str_starts(rest, STR(STATUS_MAGIC))) {
		rest = str_from(rest, sizeof STATUS_MAGIC - 1);
		while (note_take(&rest, &n))
			fn(&n, arg);
	}
	buf_free(&all);
	return 0;
}

int status_read_all(void (*fn)(const struct note *n, void *arg), void *arg, struct err *err)
{
	uint64_t *numbers;
	int64_t n = status_list(&numbers, err);
	struct err bad = {0};
	int result = n < 0 ? -1 : 0;

	for (int64_t i = 0; i < n && result == 0; i++) {
		result = status_read(numbers[i], fn, arg, &bad);
		if (result < 0 && bad.code == ENOENT)
			result = 0;
		else if (result < 0 && err)
			*err = bad;
	}
	free(numbers);
	return result;
}

/* --- index */

struct index_status { /* of one message, newest last */
	struct index_status *next;
	enum note_type type;
	size_t n;
	char payload[];
};
struct index_segment {
	uint64_t generation;
	uint32_t *finished; /* offsets / 8 */
	size_t nfinished, cap;
	bool sorted;
	struct htab status; /* offset -> struct index_chain of an unfinished message */
};
struct index_chain {
	struct index_status *first, **last;
};
struct status_index {
	struct htab segments; /* by number, text */
	struct htab files;    /* finished ones, by ID */
};
const struct status_index *status_index_current;
/* Envelopes are read in pool threads while the loop drops what is over. */
static pthread_mutex_t index_lock = PTHREAD_MUTEX_INITIALIZER;

struct status_index *status_index_new(void)
{
	return mem_zero(sizeof(struct status_index));
}

static void index_chain_free(void *p)
{
	struct index_chain *c = p;

	while (c && c->first) {
		struct index_status *next = c->first->next;

		free(c->first);
		c->first = next;
	}
	free(c);
}

static void index_segment_clear(struct index_segment *s)
{
	htab_free(&s->status, index_chain_free);
	free(s->finished);
	*s = (struct index_segment){0};
}

static void index_segment_free(void *p)
{
	index_segment_clear(p);
	free(p);
}

void status_index_free(struct status_index *x)
{
	if (!x)
		return;
	htab_free(&x->segments, index_segment_free);
	htab_free(&x->files, NULL);
	free(x);
}

static struct index_segment *index_segment(const struct status_index *x, uint64_t number)
{
	return htab_get(&x->segments, str_mem(&number, sizeof number));
}

static struct index_segment *index_segment_of(struct status_index *x, const struct note *n)
{
	struct index_segment *s = index_segment(x, n->segment);

	if (!s) {
		s = mem_zero(sizeof *s);
		htab_set(&x->segments, str_mem(&n->segment, sizeof n->segment), s);
	}
	if (n->generation > s->generation) {
		index_segment_clear(s);
		s->generation = n->generation;
	}
	return n->generation == s->generation ? s : NULL;
}

static void index_add_status(struct index_segment *s, const struct note *n)
{
	struct index_status *st = mem_alloc(sizeof *st + n->payload.n);
	str key = str_mem(&n->offset, sizeof n->offset);
	struct index_chain *c = htab_get(&s->status, key);

	if (!c) {
		c = mem_zero(sizeof *c);
		c->last = &c->first;
		htab_set(&s->status, key, c);
	}
	st->next = NULL;
	st->type = n->type;
	st->n = n->payload.n;
	if (st->n)
		memcpy(st->payload, n->payload.p, st->n);
	*c->last = st;
	c->last = &st->next;
}

void status_index_note(struct status_index *x, const struct note *n)
{
	struct index_segment *s;

	if (n->lane == LANE_FILE) {
		if (n->type == NOTE_FINISHED && n->id.n)
			htab_set(&x->files, n->id, x);
		return;
	}
	s = index_segment_of(x, n);
	if (!s)
		return;
	if (n->type != NOTE_FINISHED) {
		index_add_status(s, n);
		return;
	}
	if (s->nfinished == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->finished = mem_realloc(s->finished, s->cap * sizeof *s->finished);
	}
	s->finished[s->nfinished++] = (uint32_t)(n->offset / 8);
	index_chain_free(htab_del(&s->status, str_mem(&n->offset, sizeof n->offset)));
	s->sorted = false;
}

static int offset_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

bool status_index_finished(
    const struct status_index *x, uint64_t segment, uint64_t generation, uint64_t offset)
{
	struct index_segment *s = index_segment(x, segment);
	uint32_t key = (uint32_t)(offset / 8);

	if (!s || s->generation != generation || s->nfinished == 0)
		return false;
	if (!s->sorted)
		qsort(s->finished, s->nfinished, sizeof *s->finished, offset_compare);
	s->sorted = true;
	return bsearch(&key, s->finished, s->nfinished, sizeof *s->finished, offset_compare) !=
	       NULL;
}

bool status_index_file_finished(const struct status_index *x, const char *id)
{
	return htab_get(&x->files, str_of(id)) != NULL;
}

void status_index_merge(
    const struct status_index *x, const struct queue_ref *ref, struct envelope *e, struct arena *a)
{
	const struct index_segment *s = index_segment(x, ref->segment);
	const struct index_chain *c;

	pthread_mutex_lock(&index_lock);
	c = s && s->generation == ref->generation
		? htab_get(&s->status, str_mem(&ref->offset, sizeof ref->offset))
		: NULL;
	for (const struct index_status *st = c ? c->first : NULL; st; st = st->next) {
		struct note n = {.type = st->type, .payload = str_mem(st->payload, st->n)};

		note_merge(&n, e, a);
	}
	pthread_mutex_unlock(&index_lock);
}

void status_index_drop(struct status_index *x, uint64_t segment, uint64_t generation)
{
	struct index_segment *s = index_segment(x, segment);

	pthread_mutex_lock(&index_lock);
	if (s && s->generation == generation)
		index_segment_clear(s);
	pthread_mutex_unlock(&index_lock);
}
