#include "mailbox/folder.h"
#include "base/fault.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FOLDER (O_PATH | O_DIRECTORY | O_CLOEXEC)

void folder_split(str path, str *folder, str *name)
{
	ptrdiff_t slash = str_rchr(path, '/');

	*folder = str_head(path, slash < 0 ? 0 : (size_t)slash);
	*name = str_from(path, (size_t)(slash + 1));
}

/* The path of an open folder, without symbolic links. */
static bool real_path(int fd, char out[PATH_MAX])
{
	char proc[40];
	ssize_t n;

	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	n = readlink(proc, out, PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = 0;
	return out[0] == '/';
}

static bool is_below(int base, int fd)
{
	char top[PATH_MAX], path[PATH_MAX];
	size_t n;

	if (!real_path(base, top) || !real_path(fd, path))
		return false;
	n = strlen(top);
	if (n > 0 && top[n - 1] == '/')
		n--;
	return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* Where a link leads: its text is read from the link itself, so that nobody can exchange root's
 * link for his own between the look at its owner and the step. */
static int follow_root_link(int in, int link)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof target - 1);

	if (n < 0)
		return -1;
	target[n] = 0;
	return openat(in, target, OPEN_FOLDER);
}

static int follow_link(int base, int in, const char *name)
{
	int link = openat(in, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int fd, error;
	struct stat st;

	if (link < 0)
		return -1;
	if (fstat(link, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid == 0) {
		fd = follow_root_link(in, link);
	} else {
		fd = openat(in, name, OPEN_FOLDER);
		if (fd >= 0 && !is_below(base, fd)) {
			close(fd);
			fd = -1;
			errno = ELOOP;
		}
	}
	error = errno;
	close(link);
	errno = error;
	return fd;
}

static int make_folder(int in, const char *name)
{
	int fd;

	if (mkdirat(in, name, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = openat(in, name, OPEN_FOLDER | O_NOFOLLOW);
	if (fd >= 0 && folder_sync(in, -1, NULL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int enter(int base, int in, const char *name, bool create, bool *created)
{
	int fd = openat(in, name, OPEN_FOLDER | O_NOFOLLOW);

	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR || errno == ELOOP)
		return follow_link(base, in, name);
	if (errno != ENOENT || !create)
		return -1;
	*created = true;
	return make_folder(in, name);
}

/* One step from folder in, which is closed. */
static int step(int base, int in, str word, bool create, bool *created)
{
	char name[NAME_MAX + 1];
	int fd = -1, error;

	*created = false;
	if (word.n > NAME_MAX || memchr(word.p, 0, word.n)) {
		errno = ENAMETOOLONG;
	} else if (str_eq(word, STR(".."))) {
		errno = EPERM;
	} else {
		memcpy(name, word.p, word.n);
		name[word.n] = 0;
		fd = enter(base, in, name, create, created);
	}
	error = errno;
	if (in != base)
		close(in);
	errno = error;
	return fd;
}

int folder_open(const char *base, str path, bool create, bool *created, struct err *err)
{
	int top = open(base, OPEN_FOLDER), fd = top;
	str rest = path, word;
	bool made = false;

	if (top < 0)
		return err_errno(err, errno, "open folder %s", base);
	while (fd >= 0 && str_word(&rest, "/", &word))
		if (!str_eq(word, STR(".")))
			fd = step(top, fd, word, create, &made);
	if (fd < 0)
		err_errno(err, errno, "open folder %s/%.*s", base, (int)(word.p + word.n - path.p),
		    path.p);
	if (fd != top)
		close(top);
	if (created)
		*created = made;
	return fd;
}

int folder_sync(int folder, int file, struct err *err)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fault = fault_at("mailbox.sync");
	int r;

	if (fd >= 0) {
		r = fault > 0 ? (errno = fault, -1) : fsync(fd);
		if (r < 0)
			err_errno(err, errno, "sync folder");
		close(fd);
		return r;
	}
	if (errno != EACCES)
		return err_errno(err, errno, "sync folder");
	/* It may be written and not read (mode 0733, 0771). */
	if (file >= 0 && syncfs(file) < 0)
		return err_errno(err, errno, "sync file system");
	return 0;
}
