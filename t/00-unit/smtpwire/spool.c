/* Spools: pieces of any size come back as they were, from memory and from a file without a name. */
#include "smtpwire/spool.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "t/lib/tap.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/postern-unit-XXXXXX";

static int collect(void *arg, str piece)
{
	buf_str(arg, piece);
	return 0;
}

static int stop(void *arg, str piece)
{
	(void)piece;
	++*(int *)arg;
	return -1;
}

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n == 2;
}

static void round_trip(size_t size, size_t piece, bool file)
{
	struct spool *s = spool_new(directory);
	struct buf want = {0}, got = {0};
	struct err err = {0};
	int calls = 0;
	str memory;

	for (size_t i = 0; i < size; i++)
		buf_char(&want, (char)(i * 7 + i / 256));
	for (str rest = buf_view(&want); rest.n > 0; rest = str_from(rest, piece))
		spool_put(s, str_head(rest, piece));
	is_int(spool_end(s, &err), 0, "it is there");
	is_int((long long)spool_size(s), (long long)size, "its size");
	is_int(spool_place(s, &memory) >= 0, file, file ? "in a file" : "in memory");
	if (!file)
		ok(str_eq(memory, buf_view(&want)), "which has it");
	for (int i = 0; i < 2; i++) {
		buf_clear(&got);
		is_int(spool_read(s, collect, &got, &err), 0, "read");
		ok(str_eq(buf_view(&got), buf_view(&want)), "as it was");
	}
	is_int(spool_read(s, stop, &calls, &err), size > 0 ? -1 : 0, "the reader may stop");
	is_int(calls, size > 0, "at once");
	spool_free(s);
	buf_free(&want);
	buf_free(&got);
}

static void no_directory(void)
{
	struct spool *s = spool_new("/no/such/directory");
	struct buf large = {0};
	struct err err = {0};

	memset(buf_room(&large, SPOOL_MEMORY), 'x', SPOOL_MEMORY);
	buf_added(&large, SPOOL_MEMORY);
	spool_put(s, buf_view(&large));
	spool_put(s, buf_view(&large));
	spool_put(s, STR("more"));
	is_int(spool_end(s, &err), -1, "a directory that is not there");
	is_int(err.code, ENOENT, "is an error");
	ok(strstr(err.text, "/no/such/directory"), "that names it");
	spool_free(s);
	buf_free(&large);
}

/* Together they do not take more memory than one process may have. */
static void many(void)
{
	enum { N = SPOOL_MEMORY_ALL / SPOOL_MEMORY + 20 };
	struct spool *all[N];
	struct buf piece = {0};
	struct err err = {0};
	int files = 0;
	str memory;

	memset(buf_room(&piece, SPOOL_MEMORY - 1), 'x', SPOOL_MEMORY - 1);
	buf_added(&piece, SPOOL_MEMORY - 1);
	for (int i = 0; i < N; i++) {
		all[i] = spool_new(directory);
		spool_put(all[i], buf_view(&piece));
		spool_end(all[i], &err);
		files += spool_place(all[i], &memory) >= 0;
	}
	ok(files >= 19 && files <= 21, "beyond the limit of the process they go to files");
	for (int i = 0; i < N; i++)
		spool_free(all[i]);
	buf_free(&piece);
}

static void tests(void *arg)
{
	(void)arg;
	round_trip(0, 1, false);
	round_trip(1, 1, false);
	round_trip(100000, 777, false);
	round_trip(SPOOL_MEMORY, 4096, false);
	round_trip(SPOOL_MEMORY + 1, 4096, true);
	round_trip(3 * SPOOL_MEMORY + 12345, 65536, true);
	round_trip(2 * SPOOL_MEMORY, 2 * SPOOL_MEMORY, true);
	ok(is_empty(directory), "files have no names");
	no_directory();
	many();
	spool_free(NULL);
	loop_stop();
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	loop_init();
	loop_run(tests, NULL);
	rmdir(directory);
	return done();
}
