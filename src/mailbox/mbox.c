/* Delivery into a mailbox file (mbox): appended under its locks, cut off again when that fails. */
#include "base/fault.h"
#include "base/mem.h"
#include "mailbox/folder.h"
#include "mailbox/letter.h"
#include "param/param.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct mailbox {
	int folder, fd;
	char *name;
	struct stat st;
	bool created;
	struct boxlock lock;
};

/* A file that is a link of root's in a folder that only root can change: the administrator's word.
 */
static bool trusted_link(const struct mailbox *m)
{
	struct stat dir, link;

	return fstat(m->folder, &dir) == 0 && dir.st_uid == 0 && !(dir.st_mode & 022) &&
	       fstatat(m->folder, m->name, &link, AT_SYMLINK_NOFOLLOW) == 0 && link.st_uid == 0;
}

static int open_file(struct letter *l, struct mailbox *m)
{
	/* Not blocking: a FIFO without a reader is an error, not a wait. */
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	m->fd = openat(m->folder, m->name, flags | O_NOFOLLOW);
	if (m->fd < 0 && errno == ENOENT) {
		m->fd = openat(m->folder, m->name, flags | O_NOFOLLOW | O_CREAT | O_EXCL, 0600);
		m->created = m->fd >= 0;
		if (m->fd < 0 && errno == EEXIST) /* somebody was quicker */
			m->fd = openat(m->folder, m->name, flags | O_NOFOLLOW);
	}
	if (m->fd < 0 && errno == ELOOP) {
		if (!trusted_link(m))
			return err_set(&l->err, "file is a symbolic link");
		m->fd = openat(m->folder, m->name, flags);
	}
	if (m->fd < 0)
		return err_errno(&l->err, errno, "cannot open file");
	return 0;
}

static int check_file(struct letter *l, struct mailbox *m)
{
	if (fstat(m->fd, &m->st) < 0)
		return err_errno(&l->err, errno, "cannot open file");
	if (!S_ISREG(m->st.st_mode))
		return err_set(&l->err, "file is not a regular file");
	if (m->st.st_nlink > 1)
		return err_set(&l->err, "file has %lu hard links", (unsigned long)m->st.st_nlink);
	if (conf.strict_mailbox_ownership && m->st.st_uid != l->uid)
		return err_set(&l->err, "destination %s is not owned by recipient", l->full);
	return 0;
}

/* Whoever held the lock before us may have put another file in its place. */
static bool still_there(struct mailbox *m)
{
	struct stat at;

	return fstatat(m->folder, m->name, &at, 0) == 0 && fstat(m->fd, &m->st) == 0 &&
	       at.st_dev == m->st.st_dev && at.st_ino == m->st.st_ino;
}

static int write_message(struct letter *l, struct mailbox *m)
{
	int fault;

	if (letter_write(l, m->fd, true, (uint64_t)m->st.st_size) < 0)
		return -1;
	fault = fault_at("mailbox.fsync");
	if (fault > 0 || fsync(m->fd) < 0) {
		l->writing = true;
		return err_errno(&l->err, fault > 0 ? fault : errno, "error writing message");
	}
	if (m->created && folder_sync(m->folder, m->fd, &l->err) < 0)
		return -1;
	return 0;
}

static int append(struct letter *l, struct mailbox *m)
{
	struct stat now;

	if (write_message(l, m) == 0)
		return 0;
	if (fstat(m->fd, &now) == 0 && now.st_size > m->st.st_size)
		l->torn = ftruncate(m->fd, m->st.st_size) < 0 || fsync(m->fd) < 0;
	return -1;
}

static int deliver_locked(struct letter *l, struct mailbox *m)
{
	int r = boxlock_try(&m->lock, m->folder, m->name, m->fd, l->lock, &l->err);

	if (r != 0)
		return r;
	if (!still_there(m)) {
		err_set(&l->err, "file is being replaced");
		r = 1;
	} else {
		r = append(l, m);
	}
	boxlock_release(&m->lock);
	return r;
}

static int deliver_in(struct letter *l, struct mailbox *m)
{
	int r;

	if (open_file(l, m) < 0)
		return -1;
	r = check_file(l, m);
	if (r == 0)
		r = deliver_locked(l, m);
	close(m->fd);
	return r;
}

int mbox_deliver(struct letter *l)
{
	struct mailbox m = {.fd = -1};
	str folder, name;
	int r;

	folder_split(l->path, &folder, &name);
	if (name.n == 0 || str_eq(name, STR(".")) || str_eq(name, STR("..")))
		return err_errno(&l->err, EISDIR, "cannot open file");
	m.folder = folder_open(l->base, folder, false, NULL, &l->err);
	if (m.folder < 0)
		return -1;
	m.name = str_dup(name);
	r = deliver_in(l, &m);
	free(m.name);
	close(m.folder);
	return r;
}
