/* Headers, making, taking and freeing of segments. */
#include "queue/segment.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "queue/io.h"
#include "queue/le.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define HEAD_BYTES 88
#define HEAD_MAGIC "PSTNSEG1"
#define ZERO_PIECE (1u << 20)
#define QUICK_SIZE (8u << 20) /* of a segment that somebody waits for */
#define TAKE_TRIES 3

char *segment_path(char out[SEGMENT_PATH], uint64_t number)
{
	snprintf(out, SEGMENT_PATH, LOG_DIR "/%06" PRIu64 ".seg", number);
	return out;
}

int64_t segment_number(const char *name)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; isdigit((unsigned char)name[i]); i++) {
		if (i > 9)
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return i >= 6 && strcmp(name + i, ".seg") == 0 && n <= UINT32_MAX ? n : -1;
}

static int segment_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int64_t segment_list(uint64_t **out, struct err *err)
{
	DIR *dir = opendir(LOG_DIR);
	size_t n = 0, cap = 0;
	struct dirent *e;

	*out = NULL;
	if (!dir)
		return err_errno(err, errno, "open directory %s", LOG_DIR);
	while ((e = readdir(dir))) {
		int64_t number = segment_number(e->d_name);

		if (number < 0)
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			*out = mem_realloc(*out, cap * sizeof **out);
		}
		(*out)[n++] = (uint64_t)number;
	}
	closedir(dir);
	if (n > 1)
		qsort(*out, n, sizeof **out, segment_compare);
	return (int64_t)n;
}

static void head_encode(const struct segment_head *h, unsigned char p[HEAD_BYTES])
{
	memset(p, 0, HEAD_BYTES);
	memcpy(p, HEAD_MAGIC, 8);
	le32_put(p + 12, h->state);
	le32_put(p + 16, h->flags);
	le32_put(p + 20, h->number);
	le64_put(p + 24, h->generation);
	le64_put(p + 32, h->salt);
	le64_put(p + 40, h->counter);
	le64_put(p + 48, h->size);
	le64_put(p + 56, h->end);
	le64_put(p + 64, h->records);
	le64_put(p + 72, (uint64_t)h->taken_us);
	le32_put(p + 8, crc32c(0, p + 12, HEAD_BYTES - 12));
}

static bool head_decode(struct segment_head *h, const unsigned char p[HEAD_BYTES])
{
	uint32_t state = le32_get(p + 12);

	if (memcmp(p, HEAD_MAGIC, 8) != 0 ||
	    le32_get(p + 8) != crc32c(0, p + 12, HEAD_BYTES - 12) || state < SEGMENT_FREE ||
	    state > SEGMENT_CLOSED)
		return false;
	h->state = (enum segment_state)state;
	h->flags = le32_get(p + 16);
	h->number = le32_get(p + 20);
	h->generation = le64_get(p + 24);
	h->salt = le64_get(p + 32);
	h->counter = le64_get(p + 40);
	h->size = le64_get(p + 48);
	h->end = le64_get(p + 56);
	h->records = le64_get(p + 64);
	h->taken_us = (int64_t)le64_get(p + 72);
	return true;
}

/* Reads one slot: 0 valid, 1 all zero or not there, -1 damaged. */
static int slot_read(int fd, unsigned slot, struct segment_head *h)
{
	static const unsigned char zero[HEAD_BYTES];
	unsigned char p[HEAD_BYTES] = {0};

	if (pread(fd, p, sizeof p, (off_t)slot * SEGMENT_SLOT) < 0)
		return -1;
	if (memcmp(p, zero, sizeof p) == 0)
		return 1;
	return head_decode(h, p) ? 0 : -1;
}

int segment_head_read(int fd, struct segment_head *h, struct err *err)
{
	struct segment_head a, b;
	int got_a = slot_read(fd, 0, &a), got_b = slot_read(fd, 1, &b);

	if (got_a != 0 && got_b != 0) {
		bool empty = got_a == 1 && got_b == 1;

		return err_errno(err, empty ? EAGAIN : EBADMSG, "segment header");
	}
	*h = got_a != 0 || (got_b == 0 && b.counter > a.counter) ? b : a;
	return 0;
}

int segment_head_write(int fd, struct segment_head *h)
{
	unsigned char p[HEAD_BYTES];

	h->counter++;
	head_encode(h, p);
	if (io_write_at(fd, p, sizeof p, (h->counter & 1) * SEGMENT_SLOT, "queue.segment.write") <
	    0)
		return -1;
	return io_datasync(fd, "queue.segment.sync");
}

int segment_open(struct segment *s, uint64_t number, int flags, struct err *err)
{
	char path[SEGMENT_PATH];
	struct err bad;

	s->fd = io_open(segment_path(path, number), flags, 0, "queue.segment.open");
	if (s->fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (segment_head_read(s->fd, &s->head, &bad) < 0) {
		segment_release(s);
		return err_errno(err, bad.code, "%s: no valid header", path);
	}
	return 0;
}

bool segment_lock(int fd)
{
	struct stat st;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

void segment_release(struct segment *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* --- making */

/* As much as that, or less where the file system has little room. */
static uint64_t segment_size(uint64_t size)
{
	uint64_t room;
	struct statvfs fs;

	if (statvfs(LOG_DIR, &fs) != 0)
		return size;
	room = (uint64_t)fs.f_bavail * fs.f_frsize / 32;
	while (size > room && size > SEGMENT_SIZE_MIN)
		size /= 2;
	return size;
}

/* Zeroes make the extents written ones, so that later appends change no metadata. */
static int segment_zero(int fd, uint64_t size)
{
	char *zero;
	int result = 0;

	if (fallocate(fd, 0, 0, (off_t)size) < 0 && errno == ENOSPC)
		return -1;
	zero = mem_zero(ZERO_PIECE);
	for (uint64_t at = 0; result == 0 && at < size; at += ZERO_PIECE)
		result = io_write_at(fd, zero, ZERO_PIECE, at, "queue.segment.alloc");
	free(zero);
	return result;
}

static uint64_t segment_salt(void)
{
	uint64_t salt;

	if (getrandom(&salt, sizeof salt, 0) != sizeof salt)
		salt = (uint64_t)clock_wall_us() * 0x9e3779b97f4a7c15u;
	return salt;
}

static void segment_renew(struct segment_head *h)
{
	int64_t now = clock_wall_us();

	/* Greater than any earlier one, also of a file that had this name and was unlinked. */
	h->generation = h->generation + 1 > (uint64_t)now ? h->generation + 1 : (uint64_t)now;
	h->salt = segment_salt();
	h->end = h->records = 0;
	h->taken_us = now;
	h->state = SEGMENT_ACTIVE;
}

static int segment_fill_new(struct segment *s, const char *path, uint64_t size, struct err *err)
{
	if (segment_zero(s->fd, size) < 0)
		return err_errno(err, errno, "preallocate %s", path);
	if (segment_head_write(s->fd, &s->head) < 0 || io_sync(s->fd, "queue.segment.sync") < 0)
		return err_errno(err, errno, "write %s", path);
	if (io_sync_dir(LOG_DIR) < 0)
		return err_errno(err, errno, "sync directory %s", LOG_DIR);
	return 0;
}

/* Makes a new file; locked. number: the first to try. */
static int segment_make(
    struct segment *s, uint64_t number, uint64_t size, enum segment_state state, struct err *err)
{
	char path[SEGMENT_PATH];

	do {
		s->fd = io_open(segment_path(path, number), O_RDWR | O_CREAT | O_EXCL, 0600,
		    "queue.segment.open");
		if (s->fd >= 0 && !segment_lock(s->fd)) {
			/* somebody was quicker with the lock and will remove it */
			segment_release(s);
			errno = EEXIST;
		}
		if (s->fd < 0 && errno != EEXIST)
			return err_errno(err, errno, "create %s", path);
		if (s->fd < 0)
			number++;
	} while (s->fd < 0);
	s->head = (struct segment_head){.number = (uint32_t)number, .size = segment_size(size)};
	segment_renew(&s->head);
	s->head.state = state;
	if (segment_fill_new(s, path, s->head.size, err) < 0) {
		unlink(path);
		segment_release(s);
		return -1;
	}
	return 0;
}

/* Opens and locks a segment if it is FREE. */
static bool segment_open_free(struct segment *s, uint64_t number)
{
	if (segment_open(s, number, O_RDWR, NULL) < 0)
		return false;
	if (s->head.state == SEGMENT_FREE && !(s->head.flags & SEGMENT_BAD) &&
	    segment_lock(s->fd) && segment_head_read(s->fd, &s->head, NULL) == 0 &&
	    s->head.state == SEGMENT_FREE)
		return true;
	segment_release(s);
	return false;
}

int segment_take(struct segment *s, struct err *err)
{
	uint64_t *numbers, next = 1;
	int64_t n = segment_list(&numbers, err);
	int tries = 0;

	if (n < 0)
		return -1;
	for (int64_t i = 0; i < n && tries < TAKE_TRIES; i++) {
		if (!segment_open_free(s, numbers[i]))
			continue;
		segment_renew(&s->head);
		if (segment_head_write(s->fd, &s->head) == 0) {
			free(numbers);
			return 0;
		}
		/* Its header says FREE or an ACTIVE life without records: harmless. */
		segment_release(s);
		tries++;
	}
	if (n > 0)
		next = numbers[n - 1] + 1;
	free(numbers);
	return segment_make(s, next, QUICK_SIZE, SEGMENT_ACTIVE, err);
}

int segment_prepare(struct err *err)
{
	uint64_t *numbers, next = 1;
	int64_t n = segment_list(&numbers, err);
	struct segment s;
	bool have = false;

	if (n < 0)
		return -1;
	for (int64_t i = 0; i < n && !have; i++) {
		have = segment_open_free(&s, numbers[i]);
		if (have)
			segment_release(&s);
	}
	if (n > 0)
		next = numbers[n - 1] + 1;
	free(numbers);
	if (have)
		return 0;
	if (segment_make(&s, next, SEGMENT_SIZE, SEGMENT_FREE, err) < 0)
		return -1;
	segment_release(&s);
	return 0;
}

int segment_close(struct segment *s, uint64_t end, uint64_t records, bool bad, struct err *err)
{
	uint32_t number = s->head.number;
	int saved, result;

	s->head.state = SEGMENT_CLOSED;
	s->head.end = end;
	s->head.records = records;
	if (bad)
		s->head.flags |= SEGMENT_BAD;
	result = segment_head_write(s->fd, &s->head);
	saved = errno;
	segment_release(s);
	if (result < 0)
		return err_errno(err, saved, "close segment %06" PRIu32, number);
	return 0;
}

int segment_free(uint64_t number, uint64_t generation, bool remove, struct err *err)
{
	char path[SEGMENT_PATH];
	struct segment s;
	int result;

	struct err bad;

	segment_path(path, number);
	if (segment_open(&s, number, O_RDWR, &bad) < 0) {
		if (bad.code == ENOENT)
			return 0;
		if (bad.code == EBADMSG && io_unlink(path, "queue.segment.unlink") == 0)
			return io_sync_dir(LOG_DIR);
		return err_errno(err, bad.code, "free %s", path);
	}
	if (!segment_lock(s.fd) || segment_head_read(s.fd, &s.head, err) < 0 ||
	    s.head.state != SEGMENT_CLOSED || s.head.generation != generation) {
		segment_release(&s);
		return 1;
	}
	s.head.state = SEGMENT_FREE;
	result = segment_head_write(s.fd, &s.head);
	if (s.head.flags & SEGMENT_BAD)
		remove = true; /* also when its header cannot be written any more */
	else if (result < 0)
		remove = false;
	if (remove) {
		result = io_unlink(path, "queue.segment.unlink");
		if (result == 0)
			result = io_sync_dir(LOG_DIR);
	}
	if (result < 0)
		err_errno(err, errno, "free %s", path);
	segment_release(&s);
	return result;
}
