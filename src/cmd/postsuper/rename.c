/* Long queue IDs become short ones where enable_long_queue_ids is off (again). */
#include "base/mem.h"
#include "cmd/postsuper/postsuper.h"
#include "log/log.h"
#include "param/param.h"
#include "queue/io.h"
#include "queue/qfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct rename {
	const char *queue;
	struct buf paths; /* of files with long names, each with its NUL */
};

static bool look(const char *path, const char *id, void *arg)
{
	struct rename *r = arg;

	if (queue_id_is_long(str_of(id)))
		buf_add(&r->paths, path, strlen(path) + 1);
	return true;
}

/* The same message under a new ID: the ID is part of its envelope. */
static int write_new(int fd, const struct qfile_head *h, struct envelope *e, const struct stat *st,
    const struct rename *r, char id[QUEUE_ID_MAX], struct err *err)
{
	struct qfile_temp t;
	struct buf records = {0};
	int result = -1;

	queue_id_new(id);
	e->message.queue_id = str_of(id);
	envelope_encode(e, &records);
	if (qfile_begin(&t, r->queue, id, err) < 0) {
		buf_free(&records);
		return -1;
	}
	if (qfile_content_from(&t, fd, h->content_offset, h->content_length) < 0) {
		err_errno(err, errno, "%s", t.path);
		qfile_drop(&t);
	} else {
		result = qfile_commit(&t, buf_view(&records), STR(""), st->st_mode & 0777,
		    (int64_t)st->st_mtime, err);
	}
	buf_free(&records);
	return result;
}

/* The old file goes when the new one is durable. */
static int rename_one(const struct rename *r, const char *path, struct err *err)
{
	struct qfile_head h;
	struct envelope e = {0};
	struct arena a = {0};
	char id[QUEUE_ID_MAX];
	struct stat st;
	int fd = qfile_open(path, O_RDONLY | O_CLOEXEC, &h, err), result = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		err_errno(err, errno, "%s", path);
	else if (qfile_check_content(fd, &h, err) == 0 &&
		 qfile_read_envelope(fd, &h, &e, &a, NULL, err) == 0)
		result = write_new(fd, &h, &e, &st, r, id, err);
	close(fd);
	arena_free(&a);
	if (result == 0 && unlink(path) < 0)
		result = err_errno(err, errno, "remove %s", path);
	if (result == 0 && log_verbose)
		log_info("%s renamed to %s", path, id);
	return result;
}

static uint64_t rename_queue(struct rename *r)
{
	uint64_t count = 0;
	struct err err;

	for (size_t at = 0; at < r->paths.n; at += strlen(r->paths.p + at) + 1) {
		if (rename_one(r, r->paths.p + at, &err) == 0)
			count++;
		else
			log_warn("%s: %s", r->paths.p + at, err.text);
	}
	return count;
}

/* Files whose move out of the log a crash interrupted are known by their ID: that is settled first.
 */
static bool is_ours(void)
{
	struct err err;

	if (online_do(NULL, 0, &err) != 1)
		return false;
	if (offline_do(NULL, 0, &err) == 0)
		return true;
	log_warn("%s", err.text);
	return false;
}

uint64_t rename_long(unsigned wanted)
{
	static const char *const queues[] = {"hold", "incoming", "active", "deferred", NULL};
	struct rename r = {0};
	uint64_t count = 0;
	struct err err;
	int asked = -1;

	for (size_t i = 0; !conf.enable_long_queue_ids && queues[i]; i++) {
		if (wanted && !(wanted & queue_bits(queues[i])))
			continue;
		r.queue = queues[i];
		buf_clear(&r.paths);
		if (qfile_walk(queues[i], false, look, &r, &err) < 0 && err.code != ENOENT)
			log_fatal("%s", err.text);
		if (r.paths.n > 0 && asked < 0)
			asked = is_ours();
		if (r.paths.n > 0 && asked > 0)
			count += rename_queue(&r);
	}
	buf_free(&r.paths);
	return count;
}
