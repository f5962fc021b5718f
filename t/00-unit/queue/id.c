#include "scratch.h"

static bool all_of(const char *s, const char *set)
{
	return strspn(s, set) == strlen(s);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void short_ids(void)
{
	static char ids[20000][QUEUE_ID_MAX];
	int same = 0;
	pid_t child;
	int fds[2], status;
	char other[QUEUE_ID_MAX] = "";

	conf.enable_long_queue_ids = false;
	for (int i = 0; i < 20000; i++)
		queue_id_new(ids[i]);
	ok(all_of(ids[0], "0123456789ABCDEF"), "a short ID is hexadecimal");
	ok(strlen(ids[0]) >= 9 && strlen(ids[0]) <= 13, "and has 9 to 13 digits");
	printf("# %s\n", ids[0]);
	if (pipe(fds) < 0)
		abort();
	child = fork();
	if (child == 0) {
		queue_id_new(other);
		_exit(write(fds[1], other, sizeof other) != sizeof other);
	}
	waitpid(child, &status, 0);
	if (read(fds[0], other, sizeof other) < 0)
		abort();
	queue_id_new(ids[0]);
	ok(strcmp(other + 5, ids[0] + 5) != 0, "a forked child takes a block of its own");
	for (int i = 0; i < 20000; i++)
		memmove(ids[i], ids[i] + 5, strlen(ids[i] + 5) + 1);
	qsort(ids, 20000, sizeof ids[0], compare);
	for (int i = 1; i < 20000; i++)
		same += strcmp(ids[i - 1], ids[i]) == 0;
	is_int(same, 0, "the numbers are all different");
}

static void long_ids(void)
{
	char id[QUEUE_ID_MAX];
	struct buf path = {0};

	conf.enable_long_queue_ids = true;
	queue_id_new(id);
	printf("# %s\n", id);
	ok(all_of(id, "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"),
	    "a long ID has no vowels");
	ok(strlen(id) >= 12 && id[10] == 'z' && !strchr(id + 11, 'z'), "time, z, number");
	queue_path(&path, "deferred", id);
	ok(strchr("0123456789ABCDEF", path.p[9]) && path.p[10] == '/',
	    "its directory is a hexadecimal digit");
	conf.enable_long_queue_ids = false;
	buf_free(&path);
}

static void paths(void)
{
	struct buf b = {0};
	struct queue_ref ref = {.lane = LANE_LOG, .segment = 7};

	queue_path(&b, "deferred", "AB12C9");
	is_str(buf_view(&b), STR("deferred/A/AB12C9"), "a hashed queue");
	buf_clear(&b);
	queue_path(&b, "active", "AB12C9");
	is_str(buf_view(&b), STR("active/AB12C9"), "one that is not");
	buf_clear(&b);
	conf.hash_queue_depth = 2;
	queue_path(&b, "deferred", "AB12C9");
	is_str(buf_view(&b), STR("deferred/A/B/AB12C9"), "two levels");
	buf_clear(&b);
	queue_path(&b, "deferred", "A");
	is_str(buf_view(&b), STR("deferred/A/_/A"), "a short name");
	conf.hash_queue_depth = 1;
	buf_clear(&b);
	queue_ref_path(&b, &ref);
	is_str(buf_view(&b), STR("log/000007.seg"), "a segment");
	ok(queue_id_valid(STR("AB12C9")) && queue_id_valid(STR("3Pt2mN2VXxznjll")), "valid IDs");
	ok(!queue_id_valid(STR("")) && !queue_id_valid(STR("../x")) &&
		!queue_id_valid(STR("a.b")) && !queue_id_valid(STR(".x")),
	    "names that are no IDs");
	buf_free(&b);
}

static void damaged_counter(void)
{
	char id[QUEUE_ID_MAX];
	FILE *f = fopen("log/ids", "w");

	fputs("\x01garbage that is no number at all and much too long", f);
	fclose(f);
	for (int i = 0; i < 5000; i++)
		queue_id_new(id);
	ok(strlen(id) >= 9, "a damaged counter is begun anew");
	if (chmod("log", 0500) == 0 && rename("log", "gol") == 0)
		for (int i = 0; i < 5000; i++)
			queue_id_new(id);
	ok(strlen(id) >= 9, "without a counter there are still IDs");
	chmod("gol", 0700);
}

int main(void)
{
	scratch_queue();
	short_ids();
	long_ids();
	paths();
	damaged_counter();
	scratch_remove();
	return done();
}
