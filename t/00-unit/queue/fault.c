/* Every system call of the queue fails once, and then keeps failing: the caller gets an error, or
 * the store goes on and records it later; after the fault and a restart the queue has exactly what
 * was acknowledged. */
#include "scratch.h"

#include "queue/parts.h"

static struct err err;

static const char *const actions[] = {"ENOSPC", "EIO", "SHORT"};

/* Writing: what was acknowledged is found again, what failed is not. */
static const char *const write_points[] = {"queue.segment.open", "queue.segment.alloc",
    "queue.segment.write", "queue.segment.sync", "queue.log.write", "queue.log.sync",
    "queue.file.open", "queue.file.write", "queue.file.sync", "queue.file.rename",
    "queue.dir.sync"};

struct tally {
	char ids[64][QUEUE_ID_MAX];
	int n, failed;
};

static void put_some(struct queue_writer *w, const char *prefix, struct tally *t)
{
	struct queue_ref ref;
	char id[QUEUE_ID_MAX];

	for (int i = 0; i < 6; i++) {
		static const size_t sizes[] = {100, 5000, 700000};
		const char *queue = i == 4 ? "hold" : "incoming";

		snprintf(id, sizeof id, "%s%d", prefix, i);
		if (scratch_put(w, id, queue, sizes[i % 3], 1, &ref, &err) < 0) {
			t->failed++;
			continue;
		}
		strcpy(t->ids[t->n++], id);
	}
}

/* Are exactly these there, whole? */
static bool all_there(const struct tally *t)
{
	bool good = found.n == t->n;

	for (int i = 0; i < t->n; i++) {
		struct queue_ref *ref = scratch_find(t->ids[i]);

		good = good && ref && scratch_whole(ref, 1);
	}
	if (!good) {
		printf("# acknowledged %d, failed %d, found %d:", t->n, t->failed, found.n);
		for (int i = 0; i < found.n; i++)
			printf(" %s", found.ref[i].id);
		printf("\n");
	}
	return good && scratch_count("incoming", "tmp") == 0 && scratch_count("hold", "tmp") == 0;
}

static void writing(const char *point, const char *action, const char *count)
{
	struct queue_writer *w;
	struct queue_store *s;
	struct tally t = {0};
	char line[128], what[200];

	scratch_queue();
	w = queue_writer_new(NULL);
	put_some(w, "AA", &t);
	snprintf(line, sizeof line, "%s %s %s", point, action, count);
	scratch_faults(line);
	put_some(w, "BB", &t);
	/* a new segment, and an old one that is closed, under the fault as well */
	queue_writer_free(w);
	w = queue_writer_new(NULL);
	put_some(w, "CC", &t);
	scratch_faults(NULL);
	put_some(w, "DD", &t);
	queue_writer_free(w);
	s = scratch_open();
	snprintf(what, sizeof what, "write: %s %s %s: %d of 24 refused, the rest is there", point,
	    action, count, t.failed);
	ok(s && t.failed > 0 && t.failed < 18 && all_there(&t), what);
	queue_store_close(s);
}

/* The same while a crash follows at once: nobody closes the segment. */
static void crash_after_failure(const char *point)
{
	int fds[2], status;
	struct tally t = {0};
	struct queue_store *s;
	char line[128], what[160];
	pid_t child;

	scratch_queue();
	if (pipe(fds) < 0)
		abort();
	child = fork();
	if (child == 0) {
		snprintf(line, sizeof line, "%d", fds[1]);
		execl("/proc/self/exe", "fault", point, line, NULL);
		_exit(1);
	}
	close(fds[1]);
	while (read(fds[0], t.ids[t.n], QUEUE_ID_MAX) == QUEUE_ID_MAX)
		t.n++;
	close(fds[0]);
	waitpid(child, &status, 0);
	s = scratch_open();
	snprintf(what, sizeof what,
	    "crash after a failed %s: the %d acknowledged ones are there, the others not", point,
	    t.n);
	ok(s && t.n == 9 && all_there(&t), what);
	queue_store_close(s);
}

static const char *child_point;
static int child_fd;

static void crash_child(void *arg)
{
	struct queue_writer *w = queue_writer_new(NULL);
	struct tally t = {0};
	struct queue_ref ref;
	char line[128];

	(void)arg;
	for (int i = 0; i < 20; i++) {
		char id[QUEUE_ID_MAX] = {0};

		if (i == 5)
			snprintf(line, sizeof line, "%s EIO 1", child_point);
		if (i == 5 || i == 6)
			scratch_faults(i == 5 ? line : NULL);
		if (i == 10)
			raise(SIGKILL);
		snprintf(id, sizeof id, "EE%d", i);
		if (scratch_put(w, id, "incoming", 3000, 1, &ref, &err) == 0) {
			t.n++;
			if (write(child_fd, id, sizeof id) != sizeof id)
				_exit(1);
		}
	}
}

/* A short write where nothing is written is the same as ENOSPC. */
static bool makes_sense(const char *point, const char *action)
{
	return strcmp(action, "SHORT") != 0 || strstr(point, ".write") || strstr(point, ".alloc");
}

/* --- the store */

static const char *const store_points[] = {"queue.status.open", "queue.status.write",
    "queue.status.sync", "queue.segment.write", "queue.segment.sync", "queue.segment.unlink",
    "queue.file.unlink", "queue.dir.sync", "queue.segment.open"};

static void finishing(const char *point, const char *action, const char *count)
{
	struct queue_writer *w;
	struct queue_store *s;
	struct tally t = {0}, left = {0};
	char line[128], what[200];
	bool good;

	scratch_queue();
	w = queue_writer_new(NULL);
	put_some(w, "AA", &t);
	put_some(w, "BB", &t);
	queue_writer_free(w);
	s = scratch_open();
	good = found.n == 12;
	snprintf(line, sizeof line, "%s %s %s", point, action, count);
	scratch_faults(line);
	for (int i = 0; i < found.n; i++) {
		if (strncmp(found.ref[i].id, "AA", 2) == 0)
			queue_store_finish(s, &found.ref[i]);
		else
			strcpy(left.ids[left.n++], found.ref[i].id);
	}
	scratch_sync(s);
	scratch_faults(NULL);
	good = good && scratch_sync(s) == 0;
	queue_store_close(s);
	s = scratch_open();
	snprintf(what, sizeof what, "finish: %s %s %s: what is finished stays finished", point,
	    action, count);
	ok(good && all_there(&left), what);
	queue_store_close(s);
}

static const char *const move_points[] = {"queue.file.open", "queue.file.write", "queue.file.sync",
    "queue.file.rename", "queue.dir.sync", "queue.log.read", "queue.file.read",
    "queue.segment.open"};

/* Out of the log, from deferred to hold, and back: in one place always, and done() tells where. */
static void moving(const char *point, const char *action)
{
	struct queue_writer *w;
	struct queue_store *s;
	struct tally t = {0};
	struct queue_ref now[12];
	struct arena a = {0};
	struct envelope e;
	char line[128], what[200];
	int refused = 0, wrong = 0, n;

	scratch_queue();
	w = queue_writer_new(NULL);
	put_some(w, "AA", &t);
	put_some(w, "BB", &t);
	queue_writer_free(w);
	s = scratch_open();
	n = found.n;
	memcpy(now, found.ref, sizeof now);
	for (int i = 0; i < n; i++) {
		static const char *const to[] = {"deferred", "hold", "active", "deferred"};

		for (int k = 0; k < 4; k++) {
			struct queue_ref before;

			queue_read_envelope(&now[i], &e, &a, &err);
			before = now[i];
			e.status[0].kind = RCPT_DEFERRED;
			e.status[0].time_us = k;
			snprintf(line, sizeof line, "%s %s", point, action);
			scratch_faults(i % 2 && k < 3 ? line : NULL);
			if (scratch_move(s, &now[i], &e, to[k], 0) != 0) {
				refused++;
				wrong += memcmp(&before, &now[i], sizeof before) != 0;
			} else {
				wrong += strcmp(now[i].queue, to[k]) != 0;
			}
			scratch_faults(NULL);
			wrong += !scratch_whole(&now[i], 1);
			arena_reset(&a);
		}
	}
	arena_free(&a);
	queue_store_close(s);
	s = scratch_open();
	for (int i = 0; i < n; i++) {
		struct queue_ref *ref = scratch_find(now[i].id);

		wrong += !ref || ref->lane != LANE_FILE || strcmp(ref->queue, "deferred") != 0;
	}
	snprintf(what, sizeof what, "move: %s %s: %d refused, everything is in one place", point,
	    action, refused);
	ok(refused > 0 && wrong == 0 && all_there(&t), what);
	if (wrong)
		printf("# %d wrong\n", wrong);
	queue_store_close(s);
}

/* A message that was refused may lie in the log, whole, and the segment's end may be unknown: it is
 * no mail all the same. Its client sends it again. */
static void refused(void)
{
	struct queue_writer *w;
	struct queue_store *s;
	struct queue_ref ref;

	scratch_queue();
	w = queue_writer_new(NULL);
	scratch_put(w, "AA1", "incoming", 100, 1, &ref, &err);
	scratch_faults("queue.log.sync EIO\nqueue.segment.write EIO");
	is_int(scratch_put(w, "AA2", "incoming", 100, 1, &ref, &err), -1, "refused: not synced");
	scratch_faults(NULL);
	is_int(scratch_put(w, "AA3", "incoming", 100, 1, &ref, &err), 0, "refused: the next is");
	queue_writer_free(w);
	s = scratch_open();
	ok(scratch_find("AA1") && scratch_find("AA3"), "refused: what was promised is found");
	ok(!scratch_find("AA2"), "refused: what was not is no mail");
	queue_store_close(s);
}

/* What is damaged may be all that somebody has of his mail. */
static void saving(const char *point)
{
	struct queue_writer *w;
	struct queue_store *s;
	struct queue_ref ref;
	char line[128];

	scratch_queue();
	w = queue_writer_new(NULL);
	scratch_put(w, "AA1", "incoming", 100, 1, &ref, &err);
	queue_writer_free(w);
	s = scratch_open();
	snprintf(line, sizeof line, "%s ENOSPC", point);
	scratch_faults(line);
	queue_store_corrupt(s, &ref, "for a test");
	queue_store_close(s);
	scratch_faults(NULL);
	is_int(scratch_count("corrupt", ""), 0, "corrupt: nothing is saved by half");
	s = scratch_open();
	ok(scratch_find("AA1") != NULL, "corrupt: what cannot be saved stays");
	queue_store_corrupt(s, &ref, "for a test");
	queue_store_close(s);
	is_int(scratch_count("corrupt", "AA1"), 1, "corrupt: it is saved at the next start");
	s = scratch_open();
	ok(scratch_find("AA1") == NULL, "corrupt: and then gone");
	queue_store_close(s);
}

static bool take_ref(const struct queue_ref *ref, void *arg)
{
	*(struct queue_ref *)arg = *ref;
	return false;
}

/* Requeueing: a copy that fails leaves nothing in the maildrop, and the message as it was. */
static void copying(const char *point, const char *queue)
{
	struct queue_writer *w;
	struct queue_ref ref, copy = {0};
	struct arena a = {0};
	struct envelope e;
	char line[128], what[128];

	scratch_queue();
	w = queue_writer_new(NULL);
	scratch_put(w, "AA1", queue, 100000, 2, &ref, &err);
	queue_writer_free(w);
	queue_read_envelope(&ref, &e, &a, &err);
	snprintf(line, sizeof line, "%s ENOSPC", point);
	scratch_faults(line);
	snprintf(what, sizeof what, "copy: %s is told", line);
	ok(queue_copy_file("maildrop", &ref, 0700, &e, &err) < 0 && err.code == ENOSPC, what);
	scratch_faults(NULL);
	is_int(scratch_count("maildrop", ""), 0, "copy: nothing is in the maildrop");
	ok(scratch_whole(&ref, 2), "copy: the message is whole");
	is_int(queue_copy_file("maildrop", &ref, 0700, &e, &err), 0, "copy: later it works");
	queue_scan("maildrop", take_ref, &copy, &err);
	ok(copy.id[0] && scratch_whole(&copy, 2), "copy: and is whole");
	arena_free(&a);
}

/* What could not be written comes before what was said since: the last word counts. */
static void order(void)
{
	struct ipc_rcpt_status st = {.kind = RCPT_DEFERRED, .dsn = STR("4.0.0")};
	struct queue_ref log, file;
	struct queue_writer *w;
	struct queue_store *s;
	struct arena a = {0};
	struct envelope e;

	scratch_queue();
	w = queue_writer_new(NULL);
	scratch_put(w, "AA1", "incoming", 100, 1, &log, &err);
	scratch_put(w, "AA2", "hold", 100, 1, &file, &err);
	queue_writer_free(w);
	s = scratch_open();
	scratch_faults("queue.status.write EIO\nqueue.file.write EIO");
	queue_store_status(s, &log, &st);
	queue_store_status(s, &file, &st);
	store_status_flush(s); /* it is under way; it fails */
	st = (struct ipc_rcpt_status){.kind = RCPT_SENT, .dsn = STR("2.0.0")};
	queue_store_status(s, &log, &st);
	queue_store_status(s, &file, &st);
	scratch_sync(s);
	scratch_faults(NULL);
	is_int(scratch_sync(s), 0, "order: what could not be written is written later");
	queue_store_close(s);
	queue_read_envelope(&log, &e, &a, &err);
	is_int(e.status[0].kind, RCPT_SENT, "order: the last status counts in the log");
	queue_read_envelope(&file, &e, &a, &err);
	is_int(e.status[0].kind, RCPT_SENT, "order: and in a file");
	arena_free(&a);
}

static void reading(void)
{
	struct queue_writer *w;
	struct queue_ref log, file;
	struct arena a = {0};
	struct envelope e;

	scratch_queue();
	w = queue_writer_new(NULL);
	scratch_put(w, "AA1", "incoming", 100, 1, &log, &err);
	scratch_put(w, "AA2", "hold", 100, 1, &file, &err);
	scratch_faults("queue.log.read EIO");
	ok(queue_read_envelope(&log, &e, &a, &err) < 0 && err.code == EIO,
	    "read: queue.log.read EIO is told");
	scratch_faults("queue.file.read EIO");
	ok(queue_read_envelope(&file, &e, &a, &err) < 0 && err.code == EIO,
	    "read: queue.file.read EIO is told");
	printf("# %s\n", err.text);
	scratch_faults(NULL);
	ok(scratch_whole(&log, 1) && scratch_whole(&file, 1), "read: and later they can be read");
	queue_writer_free(w);
	arena_free(&a);
}

static void run(void *arg)
{
	static const char *const crash_points[] = {"queue.log.write", "queue.log.sync"};
	static const char *const copy_points[] = {"queue.file.open", "queue.log.read",
	    "queue.file.write", "queue.file.sync", "queue.file.rename"};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(write_points); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(actions); k++) {
			if (!makes_sense(write_points[i], actions[k]))
				continue;
			writing(write_points[i], actions[k], "");
			if (strcmp(write_points[i], "queue.segment.open") != 0 &&
			    strcmp(write_points[i], "queue.segment.write") != 0 &&
			    strcmp(write_points[i], "queue.segment.sync") != 0)
				writing(write_points[i], actions[k], "1");
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(crash_points); i++)
		crash_after_failure(crash_points[i]);
	for (size_t i = 0; i < ARRAY_SIZE(store_points); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(actions); k++) {
			if (!makes_sense(store_points[i], actions[k]))
				continue;
			finishing(store_points[i], actions[k], "");
			finishing(store_points[i], actions[k], "1");
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(move_points); i++)
		for (size_t k = 0; k < ARRAY_SIZE(actions); k++)
			if (makes_sense(move_points[i], actions[k]))
				moving(move_points[i], actions[k]);
	saving("queue.file.open");
	saving("queue.file.write");
	saving("queue.file.sync");
	for (size_t i = 0; i < ARRAY_SIZE(copy_points); i++) {
		copying(copy_points[i], "incoming");
		copying(copy_points[i], "hold");
	}
	refused();
	order();
	reading();
}

int main(int argc, char **argv)
{
	conf.hash_queue_names = "deferred";
	conf.hash_queue_depth = 1;
	loop_init();
	if (argc == 3) {
		child_point = argv[1];
		child_fd = atoi(argv[2]);
		loop_run(crash_child, NULL);
		return 0;
	}
	loop_run(run, NULL);
	scratch_remove();
	return done();
}
