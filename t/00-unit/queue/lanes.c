/* Messages go in through the writer, come back through the store, move, end. */
#include "scratch.h"

#include "queue/statuslog.h"

static struct err err;
static int closed_segments;

static void on_closed(uint64_t segment, uint64_t generation)
{
	(void)segment, (void)generation;
	closed_segments++;
}

struct put {
	struct queue_writer *w;
	char id[QUEUE_ID_MAX];
	size_t n;
	struct queue_ref ref;
	int result;
};

static void put_one(void *arg)
{
	struct put *p = arg;

	p->result = scratch_put(p->w, p->id, "incoming", p->n, 2, &p->ref, &err);
}

static void writing(void)
{
	struct queue_writer *w = queue_writer_new(on_closed);
	static struct put puts[200];
	struct queue_ref ref;
	struct scope scope;
	int good = 0, same_segment = 0;

	scope_init(&scope);
	for (int i = 0; i < 200; i++) {
		puts[i] = (struct put){.w = w, .n = (size_t)(i % 7) * 10000 + 10};
		snprintf(puts[i].id, sizeof puts[i].id, "AAAA%04X", i);
		co_start(&scope, "put", put_one, &puts[i]);
	}
	scope_join(&scope);
	for (int i = 0; i < 200; i++) {
		good += puts[i].result == 0 && puts[i].ref.lane == LANE_LOG &&
			scratch_whole(&puts[i].ref, 2);
		same_segment += puts[i].ref.segment == puts[0].ref.segment;
	}
	is_int(good, 200, "two hundred messages at once are in the log, and whole");
	is_int(scratch_put(w, "BBBB1", "incoming", 700000, 1, &ref, &err), 0, "a large message");
	ok(ref.lane == LANE_FILE && strcmp(ref.queue, "incoming") == 0, "is a file of incoming");
	ok(scratch_whole(&ref, 1), "and whole");
	is_int(scratch_put(w, "BBBB2", "hold", 100, 1, &ref, &err), 0, "a message to be held");
	ok(ref.lane == LANE_FILE && strcmp(ref.queue, "hold") == 0 && scratch_whole(&ref, 1),
	    "is a file of hold");
	is_int(scratch_put(w, "BBBB3", "hold", 800000, 1, &ref, &err), 0, "a large one to be held");
	ok(strcmp(ref.queue, "hold") == 0 && scratch_whole(&ref, 1), "too");
	is_int(scratch_put(w, "BBBB4", "incoming", 500, 40000, &ref, &err), 0,
	    "one with forty thousand recipients");
	ok(ref.lane == LANE_FILE && scratch_whole(&ref, 40000), "is a file");
	is_int(
	    scratch_put(w, "BBBB1", "incoming", 700000, 1, &ref, &err), -1, "a name that is taken");
	is_int(err.code, EEXIST, "is an error");
	is_int(scratch_count("incoming", "tmp"), 0, "no temporary file is left");
	queue_writer_free(w);
	is_int(closed_segments, 1 + (same_segment < 200), "the writer's end closes its segment");
}

static void recovered(void)
{
	struct queue_store *s = scratch_open();
	int log = 0, whole = 0;

	for (int i = 0; i < found.n; i++) {
		log += found.ref[i].lane == LANE_LOG;
		if (found.ref[i].lane == LANE_LOG)
			whole += scratch_whole(&found.ref[i], 2);
	}
	is_int(log, 200, "all messages of the log are found again");
	is_int(whole, 200, "and whole");
	is_int(found.n, 204, "and those in files");
	ok(scratch_find("BBBB2") && strcmp(scratch_find("BBBB2")->queue, "hold") == 0,
	    "held ones too");
	for (int i = 0, n = 0; i < found.n && n < 150; i++) {
		if (found.ref[i].lane == LANE_LOG) {
			queue_store_finish(s, &found.ref[i]);
			n++;
		}
	}
	queue_store_finish(s, scratch_find("BBBB3"));
	ok(!queue_store_new(s, &found.ref[160]), "an announcement of what was found is known");
	queue_store_close(s);
	s = scratch_open();
	is_int(found.n, 54 - 1 + 0, "finished messages do not come back");
	queue_store_close(s);
}

/* A qmgr was killed while it moved this message. */
static void left_behind(const char *id)
{
	char path[200];
	int fd;

	mkdir("deferred/A", 0700);
	snprintf(path, sizeof path, "deferred/%c/.%s.tmp", id[0], id);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		abort();
	close(fd);
}

static void statuses(void)
{
	struct queue_store *s = scratch_open();
	struct queue_ref file = *scratch_find("BBBB4"), log = {0};
	struct ipc_rcpt_status st = {
	    .index = 1, .kind = RCPT_SENT, .dsn = STR("2.0.0"), .reason = STR("250 ok")};
	struct arena a = {0};
	struct envelope e;

	for (int i = 0; i < found.n; i++)
		if (found.ref[i].lane == LANE_LOG)
			log = found.ref[i];
	queue_store_status(s, &log, &st);
	queue_store_flags(s, &log, MESSAGE_WARNED);
	queue_store_status(s, &file, &st);
	is_int(scratch_sync(s), 0, "statuses are synced");
	queue_store_close(s);
	queue_read_envelope(&log, &e, &a, &err);
	is_int(e.status[1].kind, RCPT_SENT, "a status of the log lane is read from the disk");
	ok(e.message.flags & MESSAGE_WARNED, "with flags");
	is_int(e.status[0].kind, RCPT_PENDING, "the other recipient is pending");
	queue_read_envelope(&file, &e, &a, &err);
	is_str(e.status[1].reason, STR("250 ok"), "a status of the file lane is in the file");

	s = scratch_open();
	queue_read_envelope(&log, &e, &a, &err);
	is_str(e.status[1].reason, STR("250 ok"), "recovery knows it");
	st = (struct ipc_rcpt_status){.index = 0, .kind = RCPT_DEFERRED, .reason = STR("busy")};
	envelope_merge_status(&e, &a, &st);
	left_behind(log.id);
	is_int(scratch_move(s, &log, &e, "deferred", 2000000000), 0,
	    "move to deferred, where an earlier move was cut off");
	ok(log.lane == LANE_FILE && strcmp(log.queue, "deferred") == 0, "is a file there");
	ok(scratch_whole(&log, 2), "and whole");
	queue_read_envelope(&log, &e, &a, &err);
	ok(e.status[0].kind == RCPT_DEFERRED && e.status[1].kind == RCPT_SENT &&
		e.message.flags & MESSAGE_WARNED,
	    "with statuses and flags");
	queue_store_close(s);

	s = scratch_open();
	is_int(found.n, 53, "there is one of it");
	ok(scratch_find(log.id) && strcmp(scratch_find(log.id)->queue, "deferred") == 0,
	    "in deferred");
	is_int(found.next[scratch_find(log.id) - found.ref], 2000000000, "with its next attempt");
	e.status[0].reason = STR("still busy");
	is_int(scratch_move(s, &log, &e, "active", 0), 0, "to active");
	is_int(scratch_move(s, &log, &e, "hold", 0), 0, "to hold");
	is_int(scratch_move(s, &log, &e, "deferred", 100), 0, "and back");
	queue_read_envelope(&log, &e, &a, &err);
	is_str(e.status[0].reason, STR("still busy"), "what is new is kept");
	ok(scratch_whole(&log, 2), "it is whole");
	is_int(scratch_count("active", "") + scratch_count("deferred/A", "AAAA"), 1,
	    "and in one place");
	queue_store_corrupt(s, &log, "for a test");
	queue_store_finish(s, &file);
	queue_store_close(s);
	is_int(scratch_count("corrupt", log.id), 1, "a corrupt one is in corrupt");
	is_int(queue_find(file.id, &file, &err), 1, "a finished file is gone");
	arena_free(&a);
}

/* When a message has left the log, the log's copy is marked on the disk: the file may be delivered
 * and removed at once, and then the copy would be mail again after a crash. */
struct leaving {
	struct scratch_wait wait;
	struct queue_ref from;
	bool marked;
};

static void look_at_note(const struct note *n, void *arg)
{
	struct leaving *l = arg;

	l->marked |= n->type == NOTE_FINISHED && n->lane == LANE_LOG &&
		     n->segment == l->from.segment && n->generation == l->from.generation &&
		     n->offset == l->from.offset;
}

static void has_left(void *arg, const struct queue_ref *now, int error)
{
	struct leaving *l = arg;

	status_read_all(look_at_note, l, NULL);
	scratch_moved(&l->wait, now, error);
}

static void leaving(void)
{
	struct queue_store *s = scratch_open();
	struct leaving l = {0};
	struct arena a = {0};
	struct envelope e;

	for (int i = 0; i < found.n; i++)
		if (found.ref[i].lane == LANE_LOG)
			l.from = found.ref[i];
	queue_read_envelope(&l.from, &e, &a, &err);
	cond_init(&l.wait.cond);
	queue_store_move(s, &l.from, &e, "deferred", 0, has_left, &l);
	while (!l.wait.done)
		cond_wait(&l.wait.cond, FOREVER);
	ok(l.wait.error == 0 && l.marked,
	    "who has left the log is marked in it before that is told");
	queue_store_close(s);
	arena_free(&a);
}

static bool count_ref(const struct queue_ref *ref, void *arg)
{
	(void)ref;
	++*(int *)arg;
	return true;
}

static void tools(void)
{
	struct queue_ref ref;
	int n = 0;

	is_int(queue_find("AAAA00C0", &ref, &err), 0, "a message of the log is found by name");
	ok(ref.lane == LANE_LOG && scratch_whole(&ref, 2), "whole");
	is_int(queue_find("BBBB1", &ref, &err), 0, "one of the file lane too");
	is_int(queue_find("AAAA0000", &ref, &err), 1, "a finished one is not");
	is_int(queue_find("../../etc/passwd", &ref, &err), 1, "what is no ID is not");
	queue_scan(NULL, count_ref, &n, &err);
	is_int(n, 51, "a scan counts them all");
	n = 0;
	queue_scan("hold", count_ref, &n, &err);
	is_int(n, 1, "or those of one queue");
}

/* A segment whose messages are finished is used again. */
static void reuse(void)
{
	struct queue_store *s = scratch_open();
	struct queue_writer *w;
	struct queue_ref ref;
	int64_t deadline;
	struct segment seg;
	char id[QUEUE_ID_MAX];
	int segments = scratch_count("log", ".seg"), known = 0;

	for (int i = 0; i < found.n; i++)
		queue_store_finish(s, &found.ref[i]);
	deadline = deadline_in(5000);
	while (loop_now() < deadline && (segment_open(&seg, 1, O_RDONLY, &err) == 0)) {
		segment_release(&seg);
		if (seg.head.state == SEGMENT_FREE)
			break;
		co_sleep(10);
	}
	is_int(seg.head.state, SEGMENT_FREE, "a segment without living messages becomes free");
	w = queue_writer_new(NULL);
	/* 20 MiB */
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof id, "CCC%04X", i);
		if (scratch_put(w, id, "incoming", 40000, 1, &ref, &err) < 0)
			printf("# %s\n", err.text);
		known += !queue_store_new(s, &ref);
		queue_store_finish(s, &ref);
		queue_store_segment_closed(s, ref.segment - 1, ref.generation - 1);
	}
	is_int(known, 0, "new messages are new");
	queue_writer_free(w);
	ok(scratch_count("log", ".seg") <= segments + 2, "segments are used again");
	queue_store_close(s);
	s = scratch_open();
	is_int(found.n, 0, "nothing comes back");
	queue_store_close(s);
}

static void late(const struct queue_ref *ref, void *arg)
{
	struct scratch_wait *w = arg;

	w->now = *ref;
	scratch_woken(arg, 0);
}

/* The writer dies without a word: what it made durable is found while the store runs. */
static void dead_writer(void)
{
	struct queue_store *s = scratch_open();
	struct scratch_wait w = {0};
	int64_t deadline = deadline_in(30000);
	pid_t child = fork();
	int status;

	if (child == 0) {
		execl("/proc/self/exe", "lanes", "write", NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status), "a writer dies");
	cond_init(&w.cond);
	while (found.n < 3 && loop_now() < deadline) {
		queue_store_age(s, 0, late, &w);
		co_sleep(100);
	}
	is_int(found.n, 3, "its messages are found");
	ok(found.n == 3 && scratch_whole(&found.ref[2], 1), "and whole");
	while (!w.done && loop_now() < deadline) {
		queue_store_age(s, 0, late, &w);
		co_sleep(100);
	}
	ok(w.done && scratch_find(w.now.id), "and reported when they grow old");
	ok(scratch_whole(&w.now, 1), "with their place");
	queue_store_close(s);
}

static void second_manager(void)
{
	struct queue_store *s = scratch_open();

	ok(s && !queue_store_open(scratch_note_found, &found, &err), "a queue has one manager");
	printf("# %s\n", err.text);
	queue_store_close(s);
}

static void no_word(void)
{
	struct queue_writer *w = queue_writer_new(NULL);
	struct queue_ref ref;

	for (int i = 0; i < 3; i++) {
		char id[QUEUE_ID_MAX];

		snprintf(id, sizeof id, "DEAD%d", i);
		scratch_put(w, id, "incoming", 5000, 1, &ref, &err);
	}
	raise(SIGKILL);
}

static void run(void *arg)
{
	(void)arg;
	writing();
	recovered();
	statuses();
	leaving();
	tools();
	reuse();
	dead_writer();
	second_manager();
}

static void run_child(void *arg)
{
	(void)arg;
	no_word();
}

int main(int argc, char **argv)
{
	(void)argv;
	conf.hash_queue_names = "deferred";
	conf.hash_queue_depth = 1;
	loop_init();
	if (argc > 1) {
		loop_run(run_child, NULL);
		return 0;
	}
	scratch_queue();
	loop_run(run, NULL);
	scratch_remove();
	return done();
}
