/* Power failures. This file stands in for src/queue/io.c: it does what is asked for, and keeps a
 * journal of it. Then the disk is rebuilt as it may be after a failure at a random place in the
 * journal: what was synced is there; of what was written since, any sectors; of names that were
 * changed since, the first few. Recovery must find what had been acknowledged by then, whole and
 * once, and nothing that had been finished and synced. */
#include "scratch.h"

#include "queue/io.h"
#include <pthread.h>
#include <sys/stat.h>

#define SECTOR	512
#define WRITERS 6
#define CRASHES 50 /* or QUEUE_CRASHES of the environment */

static struct err err;

/* --- the journal */

enum what { WRITE, ZERO, SYNC, NAME, RENAME, UNLINK, SYNC_DIR, ACK, END_BEGUN, ENDED };
struct event {
	enum what what;
	uint64_t inode, offset;
	char *bytes;
	size_t n;
	char path[64], to[64];
};
static struct event *journal;
static size_t events, events_cap;
static bool recording;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static struct event *event_add(enum what what)
{
	if (events == events_cap) {
		events_cap = events_cap ? 2 * events_cap : 4096;
		journal = mem_realloc(journal, events_cap * sizeof *journal);
	}
	journal[events] = (struct event){.what = what};
	return &journal[events++];
}

static void note(enum what what, uint64_t inode, const char *path, const char *to)
{
	struct event *e;

	if (!recording)
		return;
	pthread_mutex_lock(&journal_lock);
	e = event_add(what);
	e->inode = inode;
	snprintf(e->path, sizeof e->path, "%s", path ? path : "");
	snprintf(e->to, sizeof e->to, "%s", to ? to : "");
	pthread_mutex_unlock(&journal_lock);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* --- the calls */

int io_open(const char *path, int flags, mode_t mode, const char *point)
{
	bool made = (flags & O_CREAT) && access(path, F_OK) < 0;
	int fd = open(path, flags | O_CLOEXEC, mode);

	(void)point;
	if (fd >= 0 && made)
		note(NAME, inode_of(fd), path, NULL);
	return fd;
}

int io_write_at(int fd, const void *p, size_t n, uint64_t offset, const char *point)
{
	bool zero = strcmp(point, "queue.segment.alloc") == 0;

	if (recording) {
		struct event *e;

		pthread_mutex_lock(&journal_lock);
		e = event_add(zero ? ZERO : WRITE);
		e->inode = inode_of(fd);
		e->offset = offset;
		e->n = n;
		e->bytes = zero ? NULL : mem_memdup(p, n);
		pthread_mutex_unlock(&journal_lock);
	}
	return pwrite(fd, p, n, (off_t)offset) == (ssize_t)n ? 0 : -1;
}

int io_writev_at(int fd, struct iovec *v, size_t nv, uint64_t offset, const char *point)
{
	for (size_t i = 0; i < nv; i++) {
		if (io_write_at(fd, v[i].iov_base, v[i].iov_len, offset, point) < 0)
			return -1;
		offset += v[i].iov_len;
	}
	return 0;
}

/* Nothing is really synced: the journal has it. What is written while the sync runs may not be
 * covered. */
static int do_sync(int fd, const char *point)
{
	/* to see that this test sees what it should: a sync that does not happen */
	if (!getenv("QUEUE_NO_SYNC") || strcmp(getenv("QUEUE_NO_SYNC"), point) != 0)
		note(SYNC, inode_of(fd), NULL, NULL);
	return 0;
}

int io_datasync(int fd, const char *point)
{
	return do_sync(fd, point);
}

int io_sync(int fd, const char *point)
{
	return do_sync(fd, point);
}

int io_rename(const char *from, const char *to, bool exclusive, const char *point)
{
	(void)point;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, exclusive ? RENAME_NOREPLACE : 0) < 0)
		return -1;
	note(RENAME, 0, from, to);
	return 0;
}

int io_unlink(const char *path, const char *point)
{
	(void)point;
	return unlink(path);
}

int io_sync_dir(const char *path)
{
	if (!getenv("QUEUE_NO_SYNC") || strcmp(getenv("QUEUE_NO_SYNC"), "queue.dir.sync") != 0)
		note(SYNC_DIR, 0, path, NULL);
	return 0;
}

int io_sync_parent(const char *path)
{
	char dir[64];

	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
	return io_sync_dir(dir);
}

int io_read_at(int fd, void *p, size_t n, uint64_t offset, const char *point)
{
	ssize_t got = pread(fd, p, n, (off_t)offset);

	(void)point;
	if (got >= 0 && got != (ssize_t)n)
		errno = EBADMSG;
	return got == (ssize_t)n ? 0 : -1;
}

int io_make_parents(const char *path)
{
	char dir[64];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		snprintf(dir, sizeof dir, "%.*s", (int)i, path);
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* Called directly as well. */
int unlink(const char *path)
{
	int result = unlinkat(AT_FDCWD, path, 0);

	if (result == 0)
		note(UNLINK, 0, path, NULL);
	return result;
}

int rename(const char *from, const char *to)
{
	return io_rename(from, to, false, "");
}

/* --- load */

static struct queue_store *store;
static struct queue_writer *writer;
static unsigned number, total;

static void work_one(const char *id)
{
	static const size_t sizes[] = {50, 3000, 9000, 600000};
	static const char *const queues[] = {"deferred", "hold", "active"};
	struct queue_ref ref;
	size_t n = sizes[rand() % 30 == 0 ? 3 : rand() % 3];

	if (scratch_put(writer, id, rand() % 6 ? "incoming" : "hold", n, 1, &ref, &err) < 0) {
		printf("# %s\n", err.text);
		return;
	}
	note(ACK, 0, id, NULL);
	queue_store_new(store, &ref);
	for (int i = rand() % 3; i == 1; i = rand() % 3) {
		struct arena a = {0};
		struct envelope e;

		queue_read_envelope(&ref, &e, &a, &err);
		e.status[0].kind = RCPT_DEFERRED;
		e.status[0].time_us = rand();
		scratch_move(store, &ref, &e, queues[rand() % 3], 1000000000);
		arena_free(&a);
	}
	if (rand() % 4 == 0)
		return;
	note(END_BEGUN, 0, id, NULL);
	queue_store_finish(store, &ref);
	if (rand() % 2) {
		scratch_sync(store);
		note(ENDED, 0, id, NULL);
	}
}

static void work(void *arg)
{
	(void)arg;
	while (number < total) {
		char id[QUEUE_ID_MAX];

		snprintf(id, sizeof id, "AA%06X", ++number);
		work_one(id);
		if (rand() % 8 == 0)
			co_yield ();
	}
}

static void closed(uint64_t segment, uint64_t generation)
{
	queue_store_segment_closed(store, segment, generation);
}

static void old(const struct queue_ref *ref, void *arg)
{
	(void)ref, (void)arg;
}

/* Several lives of the writer, so that segments are closed, freed and taken again. */
static void load(void *arg)
{
	struct scope scope;

	(void)arg;
	scratch_queue();
	recording = true;
	store = scratch_open();
	for (int life = 1; life <= 6; life++) {
		writer = queue_writer_new(closed);
		total = (unsigned)life * 80;
		scope_init(&scope);
		for (int i = 0; i < WRITERS; i++)
			co_start(&scope, "work", work, NULL);
		scope_join(&scope);
		queue_writer_free(writer);
		queue_store_age(store, 1000, old, NULL);
		scratch_sync(store);
	}
	recording = false;
	queue_store_close(store);
}

/* --- the disk after a failure at event "until" */

struct disk_file {
	uint64_t inode;
	int fd;
	char name[32];
};
static struct disk_file disk[4096];
static size_t ndisk;

static struct disk_file *disk_file(uint64_t inode)
{
	for (size_t i = 0; i < ndisk; i++)
		if (disk[i].inode == inode)
			return &disk[i];
	disk[ndisk].inode = inode;
	snprintf(disk[ndisk].name, sizeof disk[ndisk].name, "tmp-%zu", ndisk);
	disk[ndisk].fd = open(disk[ndisk].name, O_RDWR | O_CREAT, 0700);
	return &disk[ndisk++];
}

/* Inodes are used again: each making of a file begins a new one. */
static void journal_number_files(void)
{
	static struct {
		uint64_t inode, life;
	} lives[8192];
	size_t n = 0;

	for (size_t i = 0; i < events; i++) {
		struct event *e = &journal[i];
		size_t k;

		if (!e->inode)
			continue;
		for (k = 0; k < n && lives[k].inode != e->inode; k++)
			;
		if (k == n)
			lives[n++].inode = e->inode;
		if (e->what == NAME)
			lives[k].life++;
		e->inode = e->inode << 16 | lives[k].life;
	}
}

static bool synced_later(size_t i, size_t until)
{
	for (size_t k = i + 1; k < until; k++)
		if (journal[k].what == SYNC && journal[k].inode == journal[i].inode)
			return true;
	return false;
}

static void disk_write(const struct event *e, bool all)
{
	struct disk_file *f = disk_file(e->inode);
	size_t step;

	for (size_t at = 0; at < e->n; at += step) {
		step = SECTOR - (e->offset + at) % SECTOR;
		if (step > e->n - at)
			step = e->n - at;
		if ((all || rand() % 2) &&
		    pwrite(f->fd, e->bytes + at, step, (off_t)(e->offset + at)) < 0)
			abort();
	}
}

/* Names: all changes up to the last one that a directory's sync covers, then some more. */
static void disk_names(size_t until)
{
	size_t durable = 0, changes = 0, applied = 0;

	for (size_t i = 0; i < until; i++) {
		if (journal[i].what == NAME || journal[i].what == RENAME ||
		    journal[i].what == UNLINK)
			changes++;
		else if (journal[i].what == SYNC_DIR)
			durable = changes;
	}
	durable += (size_t)rand() % (changes - durable + 1);
	for (size_t i = 0; i < until && applied < durable; i++) {
		struct event *e = &journal[i];

		if (e->what == NAME) {
			io_make_parents(e->path);
			unlinkat(AT_FDCWD, e->path, 0);
			if (link(disk_file(e->inode)->name, e->path) < 0)
				abort();
		} else if (e->what == RENAME) {
			io_make_parents(e->to);
			if (renameat(AT_FDCWD, e->path, AT_FDCWD, e->to) < 0)
				abort();
		} else if (e->what == UNLINK) {
			unlinkat(AT_FDCWD, e->path, 0);
		} else {
			continue;
		}
		applied++;
	}
}

static void disk_build(size_t until)
{
	ndisk = 0;
	for (size_t i = 0; i < until; i++) {
		struct event *e = &journal[i];

		if (e->what == ZERO &&
		    ftruncate(disk_file(e->inode)->fd, (off_t)(e->offset + e->n)) < 0)
			abort();
		if (e->what == WRITE)
			disk_write(e, synced_later(i, until));
	}
	disk_names(until);
	for (size_t i = 0; i < ndisk; i++) {
		close(disk[i].fd);
		unlinkat(AT_FDCWD, disk[i].name, 0);
	}
}

/* --- the account */

static bool happened(enum what what, const char *id, size_t until)
{
	for (size_t i = 0; i < until; i++)
		if (journal[i].what == what && strcmp(journal[i].path, id) == 0)
			return true;
	return false;
}

static int found_times(const char *id)
{
	int n = 0;

	for (int i = 0; i < found.n; i++)
		n += strcmp(found.ref[i].id, id) == 0;
	return n;
}

static size_t failure;
static int lost, twice, back, bad;

static void look(void *arg)
{
	struct queue_store *s;

	(void)arg;
	s = scratch_open();
	for (unsigned i = 1; i <= number; i++) {
		char id[QUEUE_ID_MAX];
		int n;

		snprintf(id, sizeof id, "AA%06X", i);
		n = found_times(id);
		twice += n > 1;
		lost += n == 0 && happened(ACK, id, failure) && !happened(END_BEGUN, id, failure);
		back += n > 0 && happened(ENDED, id, failure);
	}
	for (int i = 0; i < found.n; i++)
		bad += !scratch_whole(&found.ref[i], 1);
	queue_store_close(s);
}

int main(void)
{
	unsigned seed = (unsigned)clock_wall_us();
	int crashes = getenv("QUEUE_CRASHES") ? atoi(getenv("QUEUE_CRASHES")) : CRASHES;
	char what[128];

	if (getenv("QUEUE_SEED"))
		seed = (unsigned)atoi(getenv("QUEUE_SEED"));
	printf("# QUEUE_SEED=%u\n", seed);
	srand(seed);
	loop_init();
	loop_run(load, NULL);
	journal_number_files();
	printf("# %zu events, %u messages\n", events, number);
	for (int i = 0; i < crashes; i++) {
		scratch_queue();
		failure = (size_t)rand() % events + 1;
		disk_build(failure);
		lost = twice = back = bad = 0;
		loop_run(look, NULL);
		snprintf(what, sizeof what,
		    "failure at %zu: %d found; %d lost, %d twice, %d back, %d bad", failure,
		    found.n, lost, twice, back, bad);
		ok(!lost && !twice && !back && !bad, what);
	}
	for (size_t i = 0; i < events; i++)
		free(journal[i].bytes);
	free(journal);
	scratch_remove();
	return done();
}
