/* Locks on a mailbox: between processes, between open files of one process. */
#include "mail/boxlock.h"
#include "../../lib/tap.h"
#include "../../lib/tmpconf.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <utime.h>

static int box(void)
{
	return open("box", O_RDWR | O_CREAT, 0600);
}

static void each_style(const char *style)
{
	struct boxlock a, b;
	struct err err;
	unsigned bits = 0;
	int one = box(), two = box();
	char what[100];

#define SAY(text) (snprintf(what, sizeof what, "%s: %s", style, text), what)
	is_int(boxlock_styles(style, &bits, &err), 0, SAY("known"));
	is_int(boxlock_try(&a, AT_FDCWD, "box", one, bits, &err), 0, SAY("taken"));
	is_int(boxlock_try(&b, AT_FDCWD, "box", two, bits, &err), 1,
	    SAY("the same process, another open"));
	ok(strstr(err.text, "unable to "), SAY("told"));
	boxlock_release(&a);
	is_int(boxlock_try(&b, AT_FDCWD, "box", two, bits, &err), 0, SAY("after its release"));
	boxlock_release(&b);
	ok(access("box.lock", F_OK) < 0, SAY("no lock file is left"));
	close(one);
	close(two);
}

/* Other programs lock for their process. */
static void with_others(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct boxlock l;
	struct err err;
	unsigned bits = 0;
	int fd = box(), status = 0;
	pid_t pid;

	boxlock_styles("fcntl", &bits, &err);
	boxlock_try(&l, AT_FDCWD, "box", fd, bits, &err);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int mine = box();

		_exit(fcntl(mine, F_SETLK, &lock) < 0 ? 7 : 0);
	}
	waitpid(pid, &status, 0);
	is_int(WEXITSTATUS(status), 7, "fcntl: keeps a process's lock out");
	boxlock_release(&l);
	is_int(fcntl(fd, F_SETLK, &lock), 0, "and lets it in after that");
	close(fd);
}

static void stale(void)
{
	struct utimbuf old = {1000, 1000};
	struct boxlock l;
	struct err err;
	unsigned bits = 0;
	int fd = box(), lock = open("box.lock", O_WRONLY | O_CREAT, 0600);

	close(lock);
	boxlock_styles("dotlock", &bits, &err);
	is_int(boxlock_try(&l, AT_FDCWD, "box", fd, bits, &err), 1, "a fresh lock file");
	is_int(err.code, EEXIST, "is there");
	utime("box.lock", &old);
	is_int(boxlock_try(&l, AT_FDCWD, "box", fd, bits, &err), 1, "a stale one");
	is_int(boxlock_try(&l, AT_FDCWD, "box", fd, bits, &err), 0, "is gone at the next attempt");
	boxlock_release(&l);
	is_int(boxlock_try(&l, AT_FDCWD, "no/box", fd, bits, &err), -1, "nowhere to put it");
	is_int(boxlock_styles("flock, padlock", &bits, &err), -1, "an unknown style");
	ok(strstr(err.text, "padlock"), "is named");
	close(fd);
}

int main(void)
{
	tmpconf("");
	each_style("dotlock");
	each_style("fcntl");
	each_style("flock");
	each_style("fcntl, dotlock");
	each_style("flock, fcntl, dotlock");
	with_others();
	stale();
	return done();
}
