/* A queue under load, for the tests that kill it.
 *
 *     queuetool run SEED     in the queue directory: writers, and a manager that finishes and moves
 * messages at random, until it is killed. Each line of its output is a promise, printed after it
 * was kept: "A id queue" acknowledged, "F id" finished and synced, "M id queue" moved; "B id" and
 *                            "W id" say that the end or a move begins, so that it may have happened
 *     queuetool check        "S id queue whole|bad" for each message that recovery finds
 *     queuetool make         the directories of a queue */
#include "base/clock.h"
#include "base/mem.h"
#include "ipc/deliver.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "param/param.h"
#include "queue/queue.h"
#include "queue/store.h"
#include "queue/write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITERS 12

static struct queue_store *store;
static struct queue_writer *writer;
static struct err err;
static unsigned number;
static int seed;

static void promise(const char *what, const char *id, const char *more)
{
	char line[128];
	int n =
	    snprintf(line, sizeof line, "%s %s%s%s\n", what, id, more ? " " : "", more ? more : "");

	if (write(1, line, (size_t)n) != n)
		exit(1);
}

static void content_make(struct buf *b, const char *id, size_t n)
{
	while (b->n < n)
		buf_printf(b, "%s line at %zu\r\n", id, b->n);
	buf_cstr(b, "end\r\n");
}

static bool content_good(struct queue_ref *ref)
{
	struct arena a = {0};
	struct envelope e;
	struct buf path = {0}, want = {0};
	struct content_reader *r;
	char text[64];
	str line;
	size_t at = 0;
	int fd, got = -1;
	bool good = queue_read_envelope(ref, &e, &a, &err) == 0 &&
		    str_eq(e.message.queue_id, str_of(ref->id));

	queue_ref_path(&path, ref);
	fd = good ? queue_content_open(buf_text(&path), &err) : -1;
	r = content_open(fd, ref->content_offset, ref->content_length);
	while (good && (got = content_line(r, &line)) == 1 && !str_eq(line, STR("end"))) {
		int n = snprintf(text, sizeof text, "%s line at %zu", ref->id, at);

		good = str_eq(line, str_mem(text, (size_t)n));
		at += line.n + 2;
	}
	good = good && got == 1 && content_line(r, &line) == 0;
	content_close(r);
	if (fd >= 0)
		queue_content_release(fd);
	buf_free(&path);
	buf_free(&want);
	arena_free(&a);
	return good;
}

/* --- run */

struct wait_for {
	struct cond cond;
	bool done;
	int error;
	struct queue_ref now;
};

static void synced(void *arg, int error)
{
	struct wait_for *w = arg;

	w->done = true;
	w->error = error;
	cond_wake_all(&w->cond);
}

static void moved(void *arg, const struct queue_ref *now, int error)
{
	((struct wait_for *)arg)->now = *now;
	synced(arg, error);
}

static void wait_sync(void)
{
	struct wait_for w = {0};

	cond_init(&w.cond);
	queue_store_sync(store, synced, &w);
	while (!w.done)
		cond_wait(&w.cond, FOREVER);
	if (w.error)
		exit(1);
}

static void manage_move(struct queue_ref *ref, const char *queue)
{
	struct wait_for w = {0};
	struct arena a = {0};
	struct envelope e;

	if (queue_read_envelope(ref, &e, &a, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	e.status[0].kind = RCPT_DEFERRED;
	e.status[0].reason = STR("not now");
	e.status[0].time_us = clock_wall_us();
	promise("W", ref->id, NULL);
	cond_init(&w.cond);
	queue_store_move(store, ref, &e, queue, 1000000000, moved, &w);
	while (!w.done)
		cond_wait(&w.cond, FOREVER);
	if (w.error)
		exit(1);
	*ref = w.now;
	arena_free(&a);
	promise("M", ref->id, queue);
}

static void put(struct queue_ref *ref)
{
	static const char *const queues[] = {
	    "incoming", "incoming", "incoming", "incoming", "incoming", "hold"};
	struct arena a = {0};
	struct envelope e = {0};
	struct ipc_env_rcpt r = {.address = STR("a@example.test")};
	struct buf content = {0};
	struct queue_message *m;
	char id[QUEUE_ID_MAX];
	size_t n = rand() % 40 == 0 ? 600000 : (size_t)(rand() % 12000);

	snprintf(id, sizeof id, "%06X%06X", seed, ++number);
	envelope_add_rcpt(&e, &a, &r);
	content_make(&content, id, n);
	m = queue_message_new(writer, id);
	if (queue_message_content(m, buf_view(&content), &err) < 0 ||
	    queue_message_commit(m, queues[rand() % 6], &e, ref, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	promise("A", id, ref->queue);
	queue_store_new(store, ref);
	buf_free(&content);
	arena_free(&a);
}

static void work(void *arg)
{
	static const char *const queues[] = {"deferred", "hold", "active"};

	(void)arg;
	for (;;) {
		struct queue_ref ref;
		struct ipc_rcpt_status st = {.kind = RCPT_SENT, .reason = STR("gone")};

		put(&ref);
		for (int i = rand() % 4; i == 3 || i == 2; i = rand() % 4)
			manage_move(&ref, queues[rand() % 3]);
		if (rand() % 3 == 0)
			continue; /* it stays */
		promise("B", ref.id, NULL);
		if (rand() % 2)
			queue_store_status(store, &ref, &st);
		queue_store_finish(store, &ref);
		if (rand() % 2)
			co_sleep(rand() % 20);
		wait_sync();
		promise("F", ref.id, NULL);
	}
}

static void closed(uint64_t segment, uint64_t generation)
{
	queue_store_segment_closed(store, segment, generation);
}

static void found(const struct queue_ref *ref, int64_t next, void *arg)
{
	(void)ref, (void)next, (void)arg;
}

static void old(const struct queue_ref *ref, void *arg)
{
	(void)ref, (void)arg;
}

static void run(void *arg)
{
	struct scope scope;

	(void)arg;
	store = queue_store_open(found, NULL, &err);
	if (!store) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	writer = queue_writer_new(closed);
	scope_init(&scope);
	for (int i = 0; i < WRITERS; i++)
		co_start(&scope, "work", work, NULL);
	for (;;) {
		co_sleep(100);
		queue_store_age(store, 1, old, NULL);
	}
}

/* --- check */

static struct queue_ref *refs;
static size_t nrefs;

static void collect(const struct queue_ref *ref, int64_t next, void *arg)
{
	(void)next, (void)arg;
	refs = mem_realloc(refs, (nrefs + 1) * sizeof *refs);
	refs[nrefs++] = *ref;
}

static void check(void *arg)
{
	(void)arg;
	store = queue_store_open(collect, NULL, &err);
	if (!store) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	for (size_t i = 0; i < nrefs; i++)
		printf("S %s %s %s\n", refs[i].id, refs[i].queue,
		    content_good(&refs[i]) ? "whole" : "bad");
	queue_store_close(store);
}

int main(int argc, char **argv)
{
	static const char *const dirs[] = {
	    "log", "incoming", "active", "deferred", "hold", "corrupt", "maildrop"};

	conf.hash_queue_names = "deferred, defer";
	conf.hash_queue_depth = 1;
	loop_init();
	if (argc > 2 && strcmp(argv[1], "run") == 0) {
		seed = atoi(argv[2]);
		srand((unsigned)seed);
		loop_run(run, NULL);
	} else if (argc > 1 && strcmp(argv[1], "check") == 0) {
		loop_run(check, NULL);
		free(refs);
	} else if (argc > 1 && strcmp(argv[1], "make") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
			if (mkdir(dirs[i], 0700) < 0 && errno != EEXIST)
				return 1;
	} else {
		return 64;
	}
	return 0;
}
