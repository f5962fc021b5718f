/* How much content a process holds in memory, however many messages come at once. */
#include "scratch.h"

#define MESSAGES 300
#define LENGTH	 (400u << 10)
#define PIECE	 (32u << 10)
#define CAP	 (64u << 20) /* of all messages of a process */
#define KEEPS	 (96u << 10) /* what each may have in memory beyond that */

static struct err err;
static char content[LENGTH + 1];

/* Bytes in temporary files of incoming. */
static uint64_t spilled(int *files)
{
	DIR *d = opendir("incoming");
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;

	*files = 0;
	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.' || !strstr(e->d_name, ".tmp") ||
		    fstatat(dirfd(d), e->d_name, &st, 0) < 0)
			continue;
		n += (uint64_t)st.st_size;
		++*files;
	}
	if (d)
		closedir(d);
	return n;
}

static bool same(struct queue_ref *ref)
{
	struct buf path = {0};
	char *got = mem_zero(LENGTH);
	bool good;
	int fd;

	queue_ref_path(&path, ref);
	fd = queue_content_open(buf_text(&path), &err);
	good = fd >= 0 && ref->content_length == LENGTH &&
	       pread(fd, got, LENGTH, (off_t)ref->content_offset) == LENGTH &&
	       memcmp(got, content, LENGTH) == 0;
	if (fd >= 0)
		queue_content_release(fd);
	buf_free(&path);
	free(got);
	return good;
}

static void many(void)
{
	static struct queue_message *m[MESSAGES];
	struct queue_writer *w = queue_writer_new(NULL);
	struct queue_ref ref;
	struct arena a = {0};
	struct envelope e = scratch_envelope(&a, "s@example.test", 1);
	uint64_t on_disk;
	char id[16];
	int failed = 0, whole = 0, files;

	for (int i = 0; i < MESSAGES; i++) {
		snprintf(id, sizeof id, "AAAA%04X", i);
		m[i] = queue_message_new(w, id);
	}
	for (size_t at = 0; at < LENGTH; at += PIECE) {
		size_t n = LENGTH - at < PIECE ? LENGTH - at : PIECE;

		for (int i = 0; i < MESSAGES; i++)
			failed += queue_message_content(m[i], str_mem(content + at, n), &err) < 0;
	}
	is_int(failed, 0, "three hundred messages at once are taken");
	on_disk = spilled(&files);
	ok(on_disk >= (uint64_t)MESSAGES * (LENGTH - KEEPS) - CAP,
	    "what is too much for memory is in files");
	ok(files < MESSAGES, "not everything");
	for (int i = 0; i < 20; i++) {
		bool good = queue_message_commit(m[i], "incoming", &e, &ref, &err) == 0;

		whole += good && same(&ref);
	}
	is_int(whole, 20, "they are whole");
	for (int i = 20; i < MESSAGES; i++)
		queue_message_abort(m[i]);
	spilled(&files);
	is_int(files, 0, "those that are given up leave no files");
	m[0] = queue_message_new(w, "AAAB0000");
	failed = queue_message_content(m[0], str_mem(content, LENGTH), &err);
	is_int(failed, 0, "one more");
	is_int(queue_message_commit(m[0], "incoming", &e, &ref, &err), 0, "is taken");
	ok(ref.lane == LANE_LOG && same(&ref), "and stays in memory and in the log again");
	queue_writer_free(w);
	arena_free(&a);
}

static void tests(void *arg)
{
	(void)arg;
	many();
	scratch_remove();
	exit(done());
}

int main(void)
{
	for (size_t i = 0; i < LENGTH; i++)
		content[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : (char)('a' + i / 80 % 26);
	scratch_queue();
	loop_init();
	loop_run(tests, NULL);
	return 1;
}
