/* A queue of one's own in a scratch directory on a real disk, for tests of src/queue. */
#ifndef POSTERN_T_QUEUE_SCRATCH_H
#define POSTERN_T_QUEUE_SCRATCH_H

#include "../../lib/tap.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/deliver.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "param/param.h"
#include "queue/queue.h"
#include "queue/segment.h"
#include "queue/store.h"
#include "queue/write.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch_dir[64];

static inline void scratch_remove(void)
{
	char command[128];

	if (chdir("/") == 0 && scratch_dir[0]) {
		snprintf(command, sizeof command, "rm -rf %s", scratch_dir);
		if (system(command) != 0)
			fprintf(stderr, "cannot remove %s\n", scratch_dir);
	}
	scratch_dir[0] = '\0';
}

/* Makes an empty queue and goes there. */
static inline void scratch_queue(void)
{
	static const char *const dirs[] = {
	    "incoming", "active", "deferred", "hold", "corrupt", "log", "maildrop"};

	if (scratch_dir[0])
		scratch_remove();
	strcpy(scratch_dir, "/var/tmp/postern-queue-XXXXXX");
	if (!mkdtemp(scratch_dir) || chdir(scratch_dir) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0700) < 0)
			abort();
	conf.hash_queue_names = "deferred, defer";
	conf.hash_queue_depth = 1;
}

static inline struct envelope scratch_envelope(struct arena *a, const char *sender, int recipients)
{
	struct envelope e = {0};

	e.message.arrival_us = 1795397219000000;
	e.message.size = 42;
	e.sender.address = arena_str(a, str_of(sender));
	envelope_add_attr(&e, a, STR("client_name"), STR("localhost"));
	for (int i = 0; i < recipients; i++) {
		struct ipc_env_rcpt r = {
		    .address = str_of(arena_printf(a, "rcpt%d@example.test", i))};

		r.orig_address = r.address;
		envelope_add_rcpt(&e, a, &r);
	}
	return e;
}

/* Writes one message of n content bytes with a content that follows from its ID. In a coroutine. */
static inline int scratch_put(struct queue_writer *w, const char *id, const char *queue, size_t n,
    int recipients, struct queue_ref *ref, struct err *err)
{
	struct queue_message *m = queue_message_new(w, id);
	struct arena a = {0};
	struct envelope e = scratch_envelope(&a, "sender@example.test", recipients);
	struct buf content = {0};
	int result = 0;

	while (content.n + 40 < n)
		buf_printf(&content, "%s line at %zu\r\n", id, content.n);
	buf_cstr(&content, "end\r\n");
	for (size_t at = 0; result == 0 && at < content.n; at += 32768)
		result = queue_message_content(
		    m, str_head(str_from(buf_view(&content), at), 32768), err);
	if (result == 0)
		result = queue_message_commit(m, queue, &e, ref, err);
	if (result < 0)
		queue_message_abort(m);
	arena_free(&a);
	buf_free(&content);
	return result;
}

/* Is the message whole where ref says? */
static inline bool scratch_whole(struct queue_ref *ref, size_t recipients)
{
	struct arena a = {0};
	struct envelope e;
	struct err err;
	struct buf path = {0};
	struct content_reader *r;
	str line, last = {0};
	bool good = queue_read_envelope(ref, &e, &a, &err) == 0 &&
		    str_eq(e.message.queue_id, str_of(ref->id)) && e.nrcpts == recipients;
	int fd, got, lines = 0;

	if (!good)
		printf("# %s: %s\n", ref->id, err.text);
	queue_ref_path(&path, ref);
	fd = queue_content_open(buf_text(&path), &err);
	good = good && fd >= 0;
	r = content_open(fd, ref->content_offset, ref->content_length);
	while (good && (got = content_line(r, &line)) == 1) {
		if (!str_eq(line, STR("end")))
			good = str_starts(line, str_of(ref->id));
		last = line;
		lines++;
	}
	good = good && str_eq(last, STR("end"));
	content_close(r);
	queue_content_release(fd);
	buf_free(&path);
	arena_free(&a);
	return good;
}

/* What queue_store_open() found. */
struct scratch_found {
	struct queue_ref ref[20000];
	int64_t next[20000];
	int n;
};
static struct scratch_found found;

static inline void scratch_note_found(const struct queue_ref *ref, int64_t next, void *arg)
{
	struct scratch_found *f = arg;

	if (f->n < 20000) {
		f->ref[f->n] = *ref;
		f->next[f->n++] = next;
	}
}
static inline struct queue_store *scratch_open(void)
{
	struct err err;
	struct queue_store *s;

	found.n = 0;
	s = queue_store_open(scratch_note_found, &found, &err);
	if (!s)
		printf("# open: %s\n", err.text);
	return s;
}
static inline struct queue_ref *scratch_find(const char *id)
{
	for (int i = 0; i < found.n; i++)
		if (strcmp(found.ref[i].id, id) == 0)
			return &found.ref[i];
	return NULL;
}

/* Waits for queue_store_sync(). */
struct scratch_wait {
	struct cond cond;
	bool done;
	int error;
	struct queue_ref now;
};
static inline void scratch_woken(void *arg, int error)
{
	struct scratch_wait *w = arg;

	w->done = true;
	w->error = error;
	cond_wake_all(&w->cond);
}
static inline int scratch_sync(struct queue_store *s)
{
	struct scratch_wait w = {0};

	cond_init(&w.cond);
	queue_store_sync(s, scratch_woken, &w);
	while (!w.done)
		cond_wait(&w.cond, FOREVER);
	return w.error;
}
static inline void scratch_moved(void *arg, const struct queue_ref *now, int error)
{
	struct scratch_wait *w = arg;

	w->now = *now;
	scratch_woken(arg, error);
}
/* Moves and waits; *ref becomes the new place. */
static inline int scratch_move(struct queue_store *s, struct queue_ref *ref,
    const struct envelope *e, const char *queue, int64_t next)
{
	struct scratch_wait w = {0};

	cond_init(&w.cond);
	queue_store_move(s, ref, e, queue, next, scratch_moved, &w);
	while (!w.done)
		cond_wait(&w.cond, FOREVER);
	*ref = w.now;
	return w.error;
}

static inline int scratch_count(const char *dir, const char *part)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.' && strstr(e->d_name, part) != NULL;
	if (d)
		closedir(d);
	return n;
}

/* Sets the fault file's lines; NULL: none. */
static inline void scratch_faults(const char *lines)
{
	static char path[80];
	static int turn;
	struct timespec ts[2];
	FILE *f;

	if (!path[0]) {
		snprintf(path, sizeof path, "/var/tmp/postern-faults-%d", (int)getpid());
		setenv("POSTERN_FAULTS", path, 1);
	}
	f = fopen(path, "w");
	if (f) {
		fprintf(f, "%s\n", lines ? lines : "");
		fclose(f);
	}
	/* a new time each time, so that the change is seen */
	ts[0] = ts[1] = (struct timespec){.tv_sec = 1000000 + ++turn};
	utimensat(AT_FDCWD, path, ts, 0);
	if (!lines)
		unlink(path);
}

#endif
