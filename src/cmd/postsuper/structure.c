/* Files where they should not be: misplaced, left over, in the maildrop. */
#include "base/mem.h"
#include "cmd/postsuper/postsuper.h"
#include "log/log.h"
#include "queue/io.h"
#include "queue/qfile.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STALE_S                                                                                    \
	3600 /* a temporary file of this age has no writer any more (and is looked at for one) */

static const char *const queues[] = {"hold", "incoming", "active", "deferred", "maildrop", NULL};

struct fix {
	const char *queue;
	struct buf paths; /* of misplaced files, each with its NUL */
	uint64_t count;
};

static bool fix_look(const char *path, const char *id, void *arg)
{
	struct fix *f = arg;
	char *right = qfile_path(f->queue, id);

	if (strcmp(path, right) != 0)
		buf_add(&f->paths, path, strlen(path) + 1);
	free(right);
	return true;
}

/* Directories that became empty are removed; the others stay. */
static void fix_tidy(const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof dir, "%s", path);
	while ((slash = strrchr(dir, '/')) && strchr(dir, '/') != slash) {
		*slash = '\0';
		if (rmdir(dir) < 0)
			return;
	}
}

static void fix_move(struct fix *f, const char *path)
{
	char *right = qfile_path(f->queue, strrchr(path, '/') + 1);

	if (io_make_parents(right) == 0 && io_rename(path, right, true, "queue.file.rename") == 0) {
		f->count++;
		if (log_verbose)
			log_info("%s moved to %s", path, right);
		fix_tidy(path);
	} else {
		log_warn("cannot move %s to %s: %s", path, right, strerror(errno));
	}
	free(right);
}

uint64_t structure_fix(unsigned wanted)
{
	struct fix f = {0};
	struct err err;

	for (size_t i = 0; queues[i]; i++) {
		if (wanted && !(wanted & queue_bits(queues[i])))
			continue;
		f.queue = queues[i];
		buf_clear(&f.paths);
		if (qfile_walk(queues[i], false, fix_look, &f, &err) < 0 && err.code != ENOENT)
			log_fatal("%s", err.text);
		for (size_t at = 0; at < f.paths.n; at += strlen(f.paths.p + at) + 1)
			fix_move(&f, f.paths.p + at);
	}
	buf_free(&f.paths);
	return f.count;
}

void structure_purge(unsigned wanted)
{
	for (size_t i = 0; queues[i]; i++) {
		int n = 0;

		if (!wanted || (wanted & queue_bits(queues[i])))
			n = qfile_purge(queues[i], STALE_S);
		if (n > 0 && log_verbose)
			log_info("queue %s: %d temporary files removed", queues[i], n);
	}
}

/* --- maildrop */

static bool maildrop_one(const char *path, const char *id, void *arg)
{
	struct work *w = arg;

	if (unlink(path) == 0) {
		w->count++;
		if (!w->all)
			tell(OP_DELETE, id);
	} else if (errno != ENOENT) {
		log_warn("remove %s: %s", path, strerror(errno));
	}
	return true;
}

void maildrop_delete(struct work *w)
{
	struct err err;

	if (w->all && qfile_walk("maildrop", false, maildrop_one, w, &err) < 0)
		log_fatal("%s", err.text);
	for (size_t at = 0; !w->all && at < w->ids.n; at += strlen(w->ids.p + at) + 1) {
		char *path = qfile_path("maildrop", w->ids.p + at);

		maildrop_one(path, w->ids.p + at, w);
		free(path);
	}
}
