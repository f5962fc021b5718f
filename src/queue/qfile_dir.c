/* Directories of queue files. */
#include "queue/qfile.h"

#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 8 /* of hashed directories; hash_queue_depth is smaller */

const char *const qfile_queues[] = {"incoming", "active", "deferred", "hold", NULL};

char *qfile_path(const char *queue, const char *id)
{
	struct buf path = {0};
	char *copy;

	queue_path(&path, queue, id);
	copy = mem_strdup(buf_text(&path));
	buf_free(&path);
	return copy;
}

struct walk {
	bool temporary;
	bool (*fn)(const char *path, const char *id, void *arg);
	void *arg;
	struct buf path;
};

static bool walk_is_temporary(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' && n > 5 && strcmp(name + n - 4, ".tmp") == 0;
}

static int walk_directory(struct walk *w, int depth, struct err *err);

/* One entry; the path is in w->path. False to stop. */
static bool walk_entry(struct walk *w, const struct dirent *e, int depth)
{
	const char *path = buf_text(&w->path);
	unsigned char type = e->d_type;
	struct stat st;

	if (type == DT_UNKNOWN && lstat(path, &st) == 0)
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
	if (type == DT_DIR && e->d_name[0] != '.' && strlen(e->d_name) == 1 && depth < DEPTH_MAX)
		return walk_directory(w, depth + 1, NULL) != 1;
	if (type != DT_REG || walk_is_temporary(e->d_name) != w->temporary)
		return true;
	if (!w->temporary && !queue_id_valid(str_of(e->d_name)))
		return true;
	return w->fn(path, e->d_name, w->arg);
}

static int walk_directory(struct walk *w, int depth, struct err *err)
{
	size_t length = w->path.n;
	DIR *dir = opendir(buf_text(&w->path));
	struct dirent *e;
	bool go = true;

	if (!dir)
		return err_errno(err, errno, "open directory %s", buf_text(&w->path));
	while (go && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		buf_printf(&w->path, "/%s", e->d_name);
		go = walk_entry(w, e, depth);
		buf_cut(&w->path, length);
	}
	closedir(dir);
	return go ? 0 : 1;
}

int qfile_walk(const char *queue, bool temporary,
    bool (*fn)(const char *path, const char *id, void *arg), void *arg, struct err *err)
{
	struct walk w = {.temporary = temporary, .fn = fn, .arg = arg};
	int result;

	buf_cstr(&w.path, queue);
	result = walk_directory(&w, 0, err);
	buf_free(&w.path);
	return result;
}

struct purge {
	time_t before;
	int count;
};

static bool purge_one(const char *path, const char *id, void *arg)
{
	struct purge *p = arg;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	(void)id;
	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0 && st.st_mtime < p->before && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    unlink(path) == 0)
		p->count++;
	close(fd);
	return true;
}

int qfile_purge(const char *queue, int older_than_s)
{
	struct purge p = {.before = time(NULL) - older_than_s};

	qfile_walk(queue, true, purge_one, &p, NULL);
	return p.count;
}
