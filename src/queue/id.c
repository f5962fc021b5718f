/* Queue IDs and the paths made of them. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"
#include "param/param.h"
#include "queue/queue.h"
#include "queue/segment.h"
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_FILE	  LOG_DIR "/ids"
#define ID_BLOCK  4096
#define ID_LOWEST 0x100000u /* six hexadecimal digits, so that IDs have their usual length */

/* Digits and letters without vowels; base 52 uses all of them, base 51 all but 'z'. */
static const char digits52[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/* Numbers left of the block that this process holds. */
static struct {
	uint32_t next, left;
	bool watched; /* a forked child takes a block of its own */
} block;

static void id_forked(void)
{
	block.left = 0;
}

static uint32_t id_random(void)
{
	uint32_t r;

	if (getrandom(&r, sizeof r, GRND_NONBLOCK) != sizeof r)
		r = (uint32_t)clock_wall_us() ^ (uint32_t)getpid() << 16;
	return r;
}

/* Takes the next block out of an open, locked file. */
static int id_block_take(int fd)
{
	char text[32] = {0};
	unsigned long next;
	int n;

	if (pread(fd, text, sizeof text - 1, 0) < 0)
		return -1;
	next = strtoul(text, NULL, 10);
	if (next < ID_LOWEST || next > UINT32_MAX - 2 * ID_BLOCK) {
		/* new, damaged or worn out: anywhere in the six-digit range */
		next = ID_LOWEST + id_random() % (0x1000000 - ID_LOWEST);
	}
	block.next = (uint32_t)next;
	block.left = ID_BLOCK;
	n = snprintf(text, sizeof text, "%-12lu\n", next + ID_BLOCK);
	if (fault_at("queue.id.write") || pwrite(fd, text, (size_t)n, 0) != n)
		return -1;
	/* After a power failure a block must not be handed out again while its messages live. */
	return fdatasync(fd);
}

/* A command that root runs must not leave a file that the daemons cannot open. */
static void id_file_give(int fd)
{
	struct stat dir, file;

	if (geteuid() == 0 && stat(LOG_DIR, &dir) == 0 && fstat(fd, &file) == 0 &&
	    file.st_uid != dir.st_uid && fchown(fd, dir.st_uid, dir.st_gid) < 0)
		return;
}

static void id_block_fetch(void)
{
	int fd = open(ID_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600), ok = -1;

	if (fd >= 0) {
		id_file_give(fd);
		if (flock(fd, LOCK_EX) == 0)
			ok = id_block_take(fd);
		close(fd);
	}
	if (ok < 0) {
		/* postdrop may not write there; a file name that exists is not overwritten anyway
		 */
		block.next = id_random() | 0x10000000u;
		block.left = 1;
	}
	if (!block.watched)
		block.watched = pthread_atfork(NULL, NULL, id_forked) == 0;
}

static uint32_t id_number(void)
{
	if (block.left == 0)
		id_block_fetch();
	block.left--;
	return block.next++;
}

static size_t id_digits(char *out, uint64_t v, unsigned base, size_t width)
{
	char tmp[32];
	size_t n = 0;

	do {
		tmp[n++] = digits52[v % base];
		v /= base;
	} while (v > 0);
	while (n < width)
		tmp[n++] = digits52[0];
	for (size_t i = 0; i < n; i++)
		out[i] = tmp[n - 1 - i];
	return n;
}

void queue_id_new(char out[QUEUE_ID_MAX])
{
	int64_t now = clock_wall_us();
	size_t n;

	if (!conf.enable_long_queue_ids) {
		snprintf(
		    out, QUEUE_ID_MAX, "%05X%X", (unsigned)(now % 1000000), (unsigned)id_number());
		return;
	}
	n = id_digits(out, (uint64_t)(now / 1000000), 52, 6);
	n += id_digits(out + n, (uint64_t)(now % 1000000), 52, 4);
	out[n++] = 'z';
	n += id_digits(out + n, id_number(), 51, 1);
	out[n] = '\0';
}

bool queue_id_valid(str id)
{
	if (id.n == 0 || id.n >= QUEUE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!isalnum((unsigned char)id.p[i]) && id.p[i] != '_')
			return false;
	return true;
}

/* The microseconds of a long ID, or -1: they are what directories are hashed by, as in a short one.
 */
static int64_t id_long_us(str id)
{
	int64_t us = 0;

	if (id.n < 12 || id.p[10] != 'z')
		return -1;
	for (size_t i = 6; i < 10; i++) {
		const char *at = strchr(digits52, id.p[i]);

		if (!at || !*at)
			return -1;
		us = us * 52 + (at - digits52);
	}
	return us < 1000000 ? us : -1;
}

bool queue_id_is_long(str id)
{
	return id_long_us(id) >= 0;
}

static bool queue_hashed(const char *queue)
{
	str rest = str_of(conf.hash_queue_names), word;

	while (str_word(&rest, ", \t\r\n", &word))
		if (str_eq(word, str_of(queue)))
			return true;
	return false;
}

void queue_path(struct buf *out, const char *queue, const char *id)
{
	char hex[16];
	const char *key = id;
	int depth = conf.hash_queue_depth;
	int64_t us;

	buf_cstr(out, queue);
	if (depth > 0 && queue_hashed(queue)) {
		us = id_long_us(str_of(id));
		if (us >= 0) {
			snprintf(hex, sizeof hex, "%05X", (unsigned)us);
			key = hex;
		}
		for (int i = 0; i < depth; i++) {
			buf_char(out, '/');
			buf_char(out, *key ? *key++ : '_');
		}
	}
	buf_char(out, '/');
	buf_cstr(out, id);
}

void queue_ref_path(struct buf *out, const struct queue_ref *ref)
{
	if (ref->lane == LANE_LOG) {
		char path[SEGMENT_PATH];

		buf_cstr(out, segment_path(path, ref->segment));
	} else {
		queue_path(out, ref->queue, ref->id);
	}
}
