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

static int try_fcntl(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_SETLK, &lock);
}

static void end_fcntl(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(fd, F_SETLK, &lock);
}

/* An exclusive creation is atomic on every local file system. */
static int try_dotlock(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0) {
		dprintf(fd, "%ld\n", (long)getpid());
		close(fd);
		return 0;
	}
	if (errno == EEXIST) {
		if (stat(path, &st) == 0 && time(NULL) > st.st_mtime + conf.stale_lock_time)
			unlink(path);
		errno = EAGAIN;
	}
	return -1;
}

static bool is_busy(int error)
{
	return error == EAGAIN || error == EACCES || error == EWOULDBLOCK;
}

/* One attempt at all of them; what was taken is given back when another fails. errno tells. */
static int try_all(struct boxlock *l, uint64_t styles, const char *dotlock)
{
	int error;

	if ((styles & STYLE_DOTLOCK) && try_dotlock(dotlock) < 0)
		return -1;
	if ((styles & STYLE_FCNTL) && try_fcntl(l->fd) < 0)
		goto dotlock;
	if ((styles & STYLE_FLOCK) && flock(l->fd, LOCK_EX | LOCK_NB) < 0)
		goto fcntl;
	if (styles & STYLE_DOTLOCK)
		l->dotlock = mem_strdup(dotlock);
	return 0;
fcntl:
	error = errno;
	if (styles & STYLE_FCNTL)
		end_fcntl(l->fd);
	errno = error;
dotlock:
	error = errno;
	if (styles & STYLE_DOTLOCK)
		unlink(dotlock);
	errno = error;
	return -1;
}

int boxlock_take(struct boxlock *l, const char *path, int fd, const char *styles, struct err *err)
{
	struct buf dotlock = {0};
	uint64_t mask;
	int error = EAGAIN;

	*l = (struct boxlock){.fd = fd};
	if (names_mask(styles_table, str_of(styles), &mask, err) < 0)
		return err_prefix(err, "lock style");
	buf_printf(&dotlock, "%s.lock", path);
	for (int i = 0; i < conf.deliver_lock_attempts; i++) {
		if (i > 0)
			sleep((unsigned)conf.deliver_lock_delay);
		error = try_all(l, mask, buf_text(&dotlock)) == 0 ? 0 : errno;
		if (!is_busy(error))
			break;
	}
	buf_free(&dotlock);
	return error ? err_errno(err, error, "unable to lock for exclusive access: %s", path) : 0;
}

void boxlock_release(struct boxlock *l)
{
	if (l->dotlock) {
		unlink(l->dotlock);
		free(l->dotlock);
		l->dotlock = NULL;
	}
	end_fcntl(l->fd);
	flock(l->fd, LOCK_UN);
}
