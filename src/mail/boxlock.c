#include "mail/boxlock.h"
#include "base/mem.h"
#include "base/names.h"
#include "param/param.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STYLE_FLOCK = 1, STYLE_FCNTL = 2, STYLE_DOTLOCK = 4 };

static const struct name_row styles_table[] = {
    {"flock", STYLE_FLOCK},
    {"fcntl", STYLE_FCNTL},
    {"dotlock", STYLE_DOTLOCK},
    {NULL, 0},
};

/* Locks of the open file, not of the process, where the kernel has them for this file system. */
static int set_fcntl(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
	int r = fcntl(fd, F_OFD_SETLK, &lock);

	return r < 0 && errno == EINVAL ? fcntl(fd, F_SETLK, &lock) : r;
}

enum { TAKEN = 0, BUSY = 1, FAILED = -1 };

/* An exclusive creation is atomic on every local file system. */
static int try_dotlock(struct boxlock *l, const char *path, struct err *err)
{
	struct buf name = {0};
	struct stat st;
	int fd, r = TAKEN;

	buf_printf(&name, "%s.lock", path);
	fd = openat(
	    l->folder, buf_text(&name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		dprintf(fd, "%ld\n", (long)getpid());
		close(fd);
		l->dotlock = mem_strdup(buf_text(&name));
	} else {
		r = errno == EEXIST ? BUSY : FAILED;
		err_errno(err, errno, "unable to create lock file %s", buf_text(&name));
		if (r == BUSY &&
		    fstatat(l->folder, buf_text(&name), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    time(NULL) > st.st_mtime + conf.stale_lock_time)
			unlinkat(l->folder, buf_text(&name), 0);
	}
	buf_free(&name);
	return r;
}

static int lock_failed(struct err *err)
{
	int error = errno;

	err_errno(err, error, "unable to lock for exclusive access");
	return error == EAGAIN || error == EACCES || error == EWOULDBLOCK ? BUSY : FAILED;
}

static int try_locks(struct boxlock *l, const char *path, unsigned styles, struct err *err)
{
	int r = TAKEN;

	if (styles & STYLE_DOTLOCK)
		r = try_dotlock(l, path, err);
	if (r == TAKEN && (styles & STYLE_FCNTL) && set_fcntl(l->fd, F_WRLCK) < 0)
		r = lock_failed(err);
	if (r == TAKEN && (styles & STYLE_FLOCK) && flock(l->fd, LOCK_EX | LOCK_NB) < 0)
		r = lock_failed(err);
	return r;
}

int boxlock_styles(const char *list, unsigned *styles, struct err *err)
{
	uint64_t mask;

	if (names_mask(styles_table, str_of(list), &mask, err) < 0)
		return err_prefix(err, "lock style");
	*styles = (unsigned)mask;
	return 0;
}

int boxlock_try(
    struct boxlock *l, int folder, const char *path, int fd, unsigned styles, struct err *err)
{
	int r;

	*l = (struct boxlock){.fd = fd, .folder = folder};
	r = try_locks(l, path, styles, err);
	if (r != TAKEN)
		boxlock_release(l);
	return r;
}

int boxlock_take(struct boxlock *l, const char *path, int fd, unsigned styles, struct err *err)
{
	int r = BUSY;

	for (int i = 0; i < conf.deliver_lock_attempts && r == BUSY; i++) {
		if (i > 0)
			sleep((unsigned)conf.deliver_lock_delay);
		r = boxlock_try(l, AT_FDCWD, path, fd, styles, err);
	}
	return r == TAKEN ? 0 : -1;
}

void boxlock_release(struct boxlock *l)
{
	if (l->dotlock) {
		unlinkat(l->folder, l->dotlock, 0);
		free(l->dotlock);
		l->dotlock = NULL;
	}
	set_fcntl(l->fd, F_UNLCK);
	flock(l->fd, LOCK_UN);
}
