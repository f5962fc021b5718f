/* Delivery into a maildir: a file of its own in tmp, moved to new when it is complete. */
#include "base/fault.h"
#include "mailbox/folder.h"
#include "mailbox/letter.h"
#include "param/param.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct maildir {
	int tmp, new;
	char tmp_name[NAME_MAX + 1], new_name[NAME_MAX + 1];
};

/* The host's name as part of a file name. */
static void host_part(char *out, size_t size)
{
	size_t n = 0;

	for (const char *p = conf.myhostname; *p && n + 5 < size; p++) {
		if (*p == '/' || *p == ':')
			n += (size_t)snprintf(out + n, size - n, "\\%03o", (unsigned char)*p);
		else
			out[n++] = *p;
	}
	out[n] = 0;
}

static int open_part(const struct letter *l, const char *part, bool *created, struct err *err)
{
	struct buf path = {0};
	int fd;

	buf_printf(&path, "%.*s/%s", STR_FMT(l->path), part);
	fd = folder_open(l->base, buf_view(&path), true, created, err);
	buf_free(&path);
	return fd;
}

/* cur is the reader's; but a reader may not like it to be missing. */
static int open_parts(struct letter *l, struct maildir *m)
{
	bool new_tmp = false, new_new = false;

	m->new = -1;
	m->tmp = open_part(l, "tmp", &new_tmp, &l->err);
	if (m->tmp >= 0)
		m->new = open_part(l, "new", &new_new, &l->err);
	if (m->new >= 0 && (new_tmp || new_new)) {
		int cur = open_part(l, "cur", NULL, &l->err);

		if (cur < 0)
			return -1;
		close(cur);
	}
	return m->new < 0 ? -1 : 0;
}

static int create_file(struct letter *l, struct maildir *m)
{
	static atomic_uint counter;
	char host[200];
	int fd;

	host_part(host, sizeof host);
	snprintf(m->tmp_name, sizeof m->tmp_name, "%lld.P%ldQ%u.%s", (long long)time(NULL),
	    (long)getpid(), atomic_fetch_add(&counter, 1), host);
	fd =
	    openat(m->tmp, m->tmp_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		err_errno(&l->err, errno, "create maildir file %s/tmp/%s", l->full, m->tmp_name);
	return fd;
}

/* Device and inode make the name unique as long as the file is there, the time after that. */
static int name_file(struct letter *l, struct maildir *m, int fd)
{
	struct timeval now;
	struct stat st;
	char host[200];

	if (fstat(fd, &st) < 0)
		return err_errno(&l->err, errno, "stat maildir file");
	gettimeofday(&now, NULL);
	host_part(host, sizeof host);
	snprintf(m->new_name, sizeof m->new_name, "%lld.V%llxI%llxM%ld.%s", (long long)now.tv_sec,
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long)now.tv_usec, host);
	return 0;
}

static int move_file(struct letter *l, struct maildir *m)
{
	int r = renameat2(m->tmp, m->tmp_name, m->new, m->new_name, RENAME_NOREPLACE);

	if (r < 0 && (errno == EINVAL || errno == ENOSYS)) {
		/* A file system without it. */
		r = linkat(m->tmp, m->tmp_name, m->new, m->new_name, 0);
		if (r == 0)
			unlinkat(m->tmp, m->tmp_name, 0);
	}
	if (r < 0)
		return err_errno(
		    &l->err, errno, "create maildir file %s/new/%s", l->full, m->new_name);
	return 0;
}

static int fill_file(struct letter *l, struct maildir *m, int fd)
{
	int fault;

	if (letter_write(l, fd, false, 0) < 0)
		return -1;
	fault = fault_at("mailbox.fsync");
	if (fault > 0 || fsync(fd) < 0) {
		l->writing = true;
		return err_errno(&l->err, fault > 0 ? fault : errno, "error writing message");
	}
	return name_file(l, m, fd);
}

static int put_file(struct letter *l, struct maildir *m)
{
	int fd = create_file(l, m);
	int r;

	if (fd < 0)
		return -1;
	r = fill_file(l, m, fd);
	if (r == 0)
		r = move_file(l, m);
	if (r < 0) {
		unlinkat(m->tmp, m->tmp_name, 0);
	} else if (folder_sync(m->new, fd, &l->err) < 0) {
		/* It will be delivered again. */
		unlinkat(m->new, m->new_name, 0);
		r = -1;
	}
	close(fd);
	return r;
}

int maildir_deliver(struct letter *l)
{
	struct maildir m;
	int r = open_parts(l, &m);

	if (r == 0)
		r = put_file(l, &m);
	if (m.tmp >= 0)
		close(m.tmp);
	if (m.new >= 0)
		close(m.new);
	return r;
}
