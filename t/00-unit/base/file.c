/* Files, fault points, clocks, CRC-32C. */
#include "base/file.h"
#include "../../lib/tap.h"
#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/t-file-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[2][100];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void files(void)
{
	struct buf b = {0};
	struct err e;
	struct stat st;
	int fd;

	is_int(file_replace(in_dir("f"), "hello", 5, 0640, &e), 0, "make a file");
	stat(in_dir("f"), &st);
	is_int(st.st_mode & 07777, 0640, "its mode");
	buf_cstr(&b, ">");
	is_int(file_read(in_dir("f"), 5, &b, &e), 0, "read it");
	is_cstr(buf_text(&b), ">hello", "appended");
	is_int(file_read(in_dir("f"), 4, &b, &e), -1, "too large");
	is_int(e.code, EFBIG, "EFBIG");
	is_cstr(buf_text(&b), ">hello", "nothing is appended then");
	is_int(file_read(in_dir("none"), 4, &b, &e), -1, "not there");
	ok(e.code == ENOENT && strstr(e.text, "none"), "is told");
	is_int(file_read(dir, 4, &b, &e), -1, "a directory");
	mkfifo(in_dir("fifo"), 0600);
	is_int(file_read(in_dir("fifo"), 4, &b, &e), -1, "a FIFO does not hang");
	is_int(file_replace(in_dir("f"), "bye", 3, 0600, &e), 0, "replace");
	is_int(file_replace(in_dir("no/f"), "bye", 3, 0600, &e), -1, "no such directory");
	is_int(file_replace(in_dir("d/e"), "bye", 3, 0600, &e), -1, "nor this");
	is_int(file_mkdirs(in_dir("d/e/g"), 0700, &e), 0, "directories");
	is_int(file_mkdirs(in_dir("d/e/g"), 0700, &e), 0, "which may be there");
	is_int(file_mkdirs(in_dir("f"), 0700, &e), -1, "a file is none");
	is_int(file_mkdirs(in_dir("f/x"), 0700, &e), -1, "nor below it");
	is_int(file_sync_dir(dir, &e), 0, "sync");
	is_int(file_sync_dir(in_dir("none"), &e), -1, "sync nothing");
	fd = open(in_dir("f"), O_RDWR);
	is_int(file_pwrite_all(fd, "XY", 2, 1), 0, "write at an offset");
	is_int(file_nonblock(fd), 0, "non-blocking");
	is_int(file_cloexec(fd), 0, "close on exec");
	ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "really");
	close(fd);
	buf_clear(&b);
	file_read(in_dir("f"), 100, &b, &e);
	is_cstr(buf_text(&b), "bXY", "written");
	is_int(file_write_all(-1, "x", 1), -1, "a bad descriptor");
	is_int(errno, EBADF, "errno");
	buf_free(&b);
}

static void faults(void)
{
	static const char text[] =
	    "# comment\nqueue.sync#1 EIO 2\nbad line here\nqueue.write SHORT\nslow SLEEP=1\n";

	is_int(fault_at("queue.sync"), 0, "no file, no faults");
	setenv("POSTERN_FAULTS", in_dir("faults"), 1);
	is_int(fault_at("queue.sync"), 0, "still none");
	file_replace(in_dir("faults"), text, sizeof(text) - 1, 0600, NULL);
	is_int(fault_at("queue.sync"), 0, "the first is skipped");
	is_int(fault_at("queue.sync"), EIO, "then it fails");
	is_int(fault_at("queue.sync"), EIO, "twice");
	is_int(fault_at("queue.sync"), 0, "and is over");
	is_int(fault_at("queue.write"), FAULT_SHORT, "a short write");
	is_int(fault_at("slow"), 0, "only slow");
	is_int(fault_at("bad"), 0, "a bad line is no fault");
	file_replace(in_dir("faults"), "a ENOSPC\n", 9, 0600, NULL);
	is_int(fault_at("queue.write"), 0, "a new file counts");
	is_int(fault_at("a"), ENOSPC, "with what it says");
	unlink(in_dir("faults"));
	is_int(fault_at("a"), 0, "until it is gone");
}

static void clocks(void)
{
	char out[CLOCK_MAIL_DATE];

	ok(clock_wall_us() > 1600000000000000, "wall clock");
	ok(clock_mono_us() <= clock_mono_us(), "monotonic clock");
	setenv("TZ", "UTC0", 1);
	tzset();
	is_cstr(
	    clock_mail_date(1795397219, out), "Mon, 23 Nov 2026 01:26:59 +0000 (UTC)", "a date");
	is_cstr(clock_mail_date(1795397161, out), "Mon, 23 Nov 2026 01:26:01 +0000 (UTC)",
	    "the same minute");
	is_cstr(
	    clock_mail_date(1795397220, out), "Mon, 23 Nov 2026 01:27:00 +0000 (UTC)", "the next");
	is_cstr(clock_mail_date(0, out), "Thu, 01 Jan 1970 00:00:00 +0000 (UTC)", "the first");
	setenv("TZ", "XXX3:30", 1);
	tzset();
	is_cstr(clock_mail_date(951868799, out), "Tue, 29 Feb 2000 20:29:59 -0330 (XXX)", "west");
	setenv("TZ", "IST-5:30", 1);
	tzset();
	is_cstr(clock_mail_date(1795400000, out), "Mon, 23 Nov 2026 07:43:20 +0530 (IST)", "east");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	files();
	faults();
	clocks();
	unlink(in_dir("f"));
	unlink(in_dir("fifo"));
	rmdir(in_dir("d/e/g"));
	rmdir(in_dir("d/e"));
	rmdir(in_dir("d"));
	ok(rmdir(dir) == 0, "no temporary file is left");
	return done();
}
