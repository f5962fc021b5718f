/* What the queue costs: accept a message (durably), read it back, finish it; messages a second and
 * CPU a message, for 1, 16 and 256 writers and messages of 4 KiB and 200 KiB. Beside it, in the
 * same run, a file for each message: create, write, fsync, rename, open, read, unlink, by as many
 * threads.
 *
 * queue [-d directory] [-s seconds] [-w writers] [-k KiB] [-l]     directory: on the disk to be
 * measured; /var/tmp. -l: the log only */
#include "queue/queue.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ipc/deliver.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "param/param.h"
#include "queue/store.h"
#include "queue/write.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 32768 /* content comes in such pieces, as from a socket */

struct bench {
	unsigned writers;
	size_t size;
	int64_t until_us;
	struct buf content;
	/* results */
	uint64_t messages;
	int64_t wall_us, cpu_us, latency_us;
};
static struct queue_store *store;
static struct queue_writer *writer;

static int64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (int64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 + r.ru_utime.tv_usec +
	       r.ru_stime.tv_usec;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void content_fill(struct buf *b, size_t n)
{
	while (b->n + 72 <= n)
		buf_cstr(b,
		    "Seventy bytes of text, which stand for a line of a message, and so on.\r\n");
	while (b->n + 2 < n)
		buf_char(b, 'x');
	buf_cstr(b, "\r\n");
}

/* --- the log lane, as cleanup, an agent and qmgr use it */

static void envelope_fill(struct envelope *e, struct arena *a)
{
	struct ipc_env_rcpt r = {
	    .address = STR("user@example.test"), .orig_address = STR("user@example.test")};

	e->message.arrival_us = clock_wall_us();
	e->sender.address = STR("sender@example.test");
	envelope_add_attr(e, a, STR("client_name"), STR("client.example.test"));
	envelope_add_attr(e, a, STR("client_address"), STR("192.0.2.1"));
	envelope_add_attr(e, a, STR("helo_name"), STR("client.example.test"));
	envelope_add_attr(e, a, STR("protocol_name"), STR("ESMTP"));
	envelope_add_rcpt(e, a, &r);
}

static void log_read(const struct queue_ref *ref)
{
	static char piece[65536];
	struct buf path = {0};
	struct err err;
	int fd;

	queue_ref_path(&path, ref);
	fd = queue_content_open(buf_text(&path), &err);
	for (uint64_t at = 0; at < ref->content_length; at += sizeof piece) {
		uint64_t left = ref->content_length - at;

		if (pread(fd, piece, left < sizeof piece ? left : sizeof piece,
			(off_t)(ref->content_offset + at)) <= 0)
			die("read back");
	}
	queue_content_release(fd);
	buf_free(&path);
}

static void log_message(struct bench *b)
{
	char id[QUEUE_ID_MAX];
	struct arena a = {0};
	struct envelope e = {0};
	struct queue_message *m;
	struct queue_ref ref;
	struct err err;
	struct ipc_rcpt_status st = {
	    .kind = RCPT_SENT, .dsn = STR("2.0.0"), .reason = STR("250 2.0.0 Ok")};

	queue_id_new(id);
	envelope_fill(&e, &a);
	m = queue_message_new(writer, id);
	for (size_t at = 0; at < b->size; at += PIECE)
		queue_message_content(
		    m, str_head(str_from(buf_view(&b->content), at), PIECE), &err);
	if (queue_message_commit(m, "incoming", &e, &ref, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	arena_free(&a);
	queue_store_new(store, &ref);
	log_read(&ref);
	queue_store_status(store, &ref, &st);
	queue_store_finish(store, &ref);
}

static void log_writer(void *arg)
{
	struct bench *b = arg;
	int64_t now = clock_mono_us();

	while (now < b->until_us) {
		int64_t begun = now;

		log_message(b);
		now = clock_mono_us();
		b->latency_us += now - begun;
		b->messages++;
	}
}

static void log_closed(uint64_t segment, uint64_t generation)
{
	queue_store_segment_closed(store, segment, generation);
}

static void log_found(const struct queue_ref *ref, int64_t next, void *arg)
{
	(void)ref, (void)next, (void)arg;
}

static void log_run(void *arg)
{
	struct bench *b = arg;
	struct scope scope;
	struct err err;

	store = queue_store_open(log_found, NULL, &err);
	if (!store) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	writer = queue_writer_new(log_closed);
	log_message(b); /* the first segment is there */
	b->messages = 0;
	b->wall_us = clock_mono_us();
	b->cpu_us = cpu_us();
	b->until_us += b->wall_us;
	scope_init(&scope);
	for (unsigned i = 0; i < b->writers; i++)
		co_start(&scope, "writer", log_writer, b);
	scope_join(&scope);
	b->wall_us = clock_mono_us() - b->wall_us;
	b->cpu_us = cpu_us() - b->cpu_us;
	queue_writer_free(writer);
	queue_store_close(store);
}

/* --- a start after a crash: the log is full of messages that nobody finished */

#define FILL 14000 /* of 4 KiB: a segment of 64 MiB, about */

static void fill_one(void *arg)
{
	struct bench *b = arg;

	while (b->messages < FILL) {
		struct arena a = {0};
		struct envelope e = {0};
		struct queue_message *m;
		struct queue_ref ref;
		char id[QUEUE_ID_MAX];
		struct err err;

		b->messages++;
		queue_id_new(id);
		envelope_fill(&e, &a);
		m = queue_message_new(writer, id);
		queue_message_content(m, buf_view(&b->content), &err);
		if (queue_message_commit(m, "incoming", &e, &ref, &err) < 0)
			exit(1);
		arena_free(&a);
	}
}

static void count_found(const struct queue_ref *ref, int64_t next, void *arg)
{
	(void)ref, (void)next;
	++*(uint64_t *)arg;
}

static void recover_run(void *arg)
{
	struct bench *b = arg;
	struct scope scope;
	struct err err;
	uint64_t found = 0;
	int64_t start;

	content_fill(&b->content, 4096);
	writer = queue_writer_new(NULL);
	scope_init(&scope);
	for (int i = 0; i < 256; i++)
		co_start(&scope, "writer", fill_one, b);
	scope_join(&scope);
	queue_writer_free(writer);
	start = clock_mono_us();
	store = queue_store_open(count_found, &found, &err);
	printf("recovery of %u messages of 4 KiB: %.0f ms\n", (unsigned)found,
	    (double)(clock_mono_us() - start) / 1000);
	queue_store_close(store);
	buf_free(&b->content);
}

/* --- a file for each message */

struct thread {
	struct bench *b;
	pthread_t id;
	unsigned number;
	uint64_t messages;
	int64_t latency_us;
};

static void file_message(struct thread *t)
{
	static _Thread_local char piece[65536];
	struct bench *b = t->b;
	char incoming[64], active[64];
	int fd;

	snprintf(incoming, sizeof incoming, "incoming/%05X%05X", t->number, (unsigned)t->messages);
	snprintf(active, sizeof active, "active/%05X%05X", t->number, (unsigned)t->messages);
	fd = open(incoming, O_WRONLY | O_CREAT | O_EXCL, 0700);
	for (size_t at = 0; at < b->size; at += PIECE) {
		size_t n = b->size - at < PIECE ? b->size - at : PIECE;

		if (write(fd, b->content.p + at, n) != (ssize_t)n)
			die("write");
	}
	if (fsync(fd) < 0 || rename(incoming, active) < 0)
		die("fsync");
	close(fd);
	fd = open(active, O_RDONLY);
	while (read(fd, piece, sizeof piece) > 0)
		;
	close(fd);
	unlink(active);
}

static void *file_writer(void *arg)
{
	struct thread *t = arg;
	int64_t now = clock_mono_us();

	while (now < t->b->until_us) {
		int64_t begun = now;

		file_message(t);
		now = clock_mono_us();
		t->latency_us += now - begun;
		t->messages++;
	}
	return NULL;
}

static void file_run(struct bench *b)
{
	struct thread *t = mem_zero(b->writers * sizeof *t);

	b->wall_us = clock_mono_us();
	b->cpu_us = cpu_us();
	b->until_us += b->wall_us;
	for (unsigned i = 0; i < b->writers; i++) {
		t[i].b = b;
		t[i].number = i;
		pthread_create(&t[i].id, NULL, file_writer, &t[i]);
	}
	for (unsigned i = 0; i < b->writers; i++) {
		pthread_join(t[i].id, NULL);
		b->messages += t[i].messages;
		b->latency_us += t[i].latency_us;
	}
	b->wall_us = clock_mono_us() - b->wall_us;
	b->cpu_us = cpu_us() - b->cpu_us;
	free(t);
}

/* --- */

static double report(const struct bench *b, const char *what)
{
	double cpu = (double)b->cpu_us / (double)(b->messages ? b->messages : 1);

	printf("%-5s %7u %5zu KiB %10.0f/s %9.1f us CPU %9.0f us latency\n", what, b->writers,
	    b->size / 1024, (double)b->messages * 1e6 / (double)b->wall_us, cpu,
	    (double)b->latency_us / (double)(b->messages ? b->messages : 1));
	fflush(stdout);
	return cpu;
}

static void compare(unsigned writers, size_t kib, int seconds, bool log_only)
{
	struct bench log = {
	    .writers = writers, .size = kib * 1024, .until_us = (int64_t)seconds * 1000000};
	struct bench file = log;
	double log_cpu, file_cpu;

	content_fill(&log.content, log.size);
	file.content = log.content;
	loop_run(log_run, &log);
	log_cpu = report(&log, "log");
	if (log_only) {
		buf_free(&log.content);
		return;
	}
	file_run(&file);
	file_cpu = report(&file, "files");
	printf("      ratio of CPU %.2f, of rate %.1f\n", log_cpu / file_cpu,
	    (double)log.messages / (double)log.wall_us /
		((double)file.messages / (double)file.wall_us));
	buf_free(&log.content);
}

int main(int argc, char **argv)
{
	static const char *const dirs[] = {
	    "log", "incoming", "active", "deferred", "hold", "corrupt", "maildrop"};
	static const unsigned all_writers[] = {1, 16, 256};
	static const size_t all_sizes[] = {4, 200};
	char dir[256], command[300];
	const char *base = "/var/tmp";
	int seconds = 3, opt;
	unsigned writers = 0;
	size_t kib = 0;
	bool log_only = false;

	while ((opt = getopt(argc, argv, "d:s:w:k:l")) != -1) {
		if (opt == 'd')
			base = optarg;
		else if (opt == 's')
			seconds = atoi(optarg);
		else if (opt == 'w')
			writers = (unsigned)atoi(optarg);
		else if (opt == 'k')
			kib = (size_t)atoi(optarg);
		else if (opt == 'l')
			log_only = true;
		else
			return 64;
	}
	snprintf(dir, sizeof dir, "%s/postern-bench-XXXXXX", base);
	if (!mkdtemp(dir) || chdir(dir) < 0)
		die(dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0700) < 0)
			die(dirs[i]);
	conf.hash_queue_names = "deferred, defer";
	conf.hash_queue_depth = 1;
	loop_init();
	for (size_t k = 0; k < ARRAY_SIZE(all_sizes); k++)
		for (size_t i = 0; i < ARRAY_SIZE(all_writers); i++)
			if ((!writers || writers == all_writers[i]) &&
			    (!kib || kib == all_sizes[k]))
				compare(all_writers[i], all_sizes[k], seconds, log_only);
	loop_run(recover_run, &(struct bench){0});
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return chdir("/") < 0 || system(command) != 0;
}
