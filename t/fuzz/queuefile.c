/* What is read from the disk: envelopes, queue files, status notes, segments. The first byte
 * chooses; since checksums stand in the way, files and segments are also made with right ones
 * around the given bytes. */
#include "base/crc32c.h"
#include "ipc/deliver.h"
#include "queue/note.h"
#include "queue/qfile.h"
#include "queue/queue.h"
#include "queue/segment.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int memory_file(str bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || pwrite(fd, bytes.p, bytes.n, 0) != (ssize_t)bytes.n)
		abort();
	return fd;
}

static void try_envelope(str bytes)
{
	struct arena a = {0};
	struct envelope e, again;
	struct buf out = {0};
	struct err err;

	if (envelope_decode(&e, &a, bytes, &err) == 0) {
		envelope_encode(&e, &out);
		if (envelope_decode(&again, &a, buf_view(&out), &err) < 0 ||
		    again.nrcpts != e.nrcpts)
			abort();
	}
	buf_free(&out);
	arena_free(&a);
}

static void try_file(str bytes)
{
	struct arena a = {0};
	struct qfile_head h;
	struct envelope e;
	struct err err;
	uint64_t end;
	int fd = memory_file(bytes);

	if (bytes.n >= QFILE_HEAD && qfile_head_get((const unsigned char *)bytes.p, &h)) {
		if (qfile_read_envelope(fd, &h, &e, &a, &end, &err) == 0 && end > bytes.n)
			abort();
		qfile_check_content(fd, &h, &err);
	}
	close(fd);
	arena_free(&a);
}

/* A file whose envelope and status area are the given bytes. */
static void try_file_made(str bytes)
{
	struct arena a = {0};
	struct envelope e;
	struct err err;
	size_t cut = bytes.n ? (unsigned char)bytes.p[0] * bytes.n / 256 : 0;
	struct qfile_head h = {
	    .content_offset = 0,
	    .envelope_offset = 0,
	    .envelope_length = cut,
	    .envelope_crc = crc32c(0, bytes.p, cut),
	};
	int fd = memory_file(bytes);

	qfile_read_envelope(fd, &h, &e, &a, NULL, &err);
	close(fd);
	arena_free(&a);
}

static void try_notes(str bytes)
{
	struct arena a = {0};
	struct envelope e = {0};
	struct ipc_env_rcpt r = {.address = STR("a@b")};
	struct buf made = {0};
	struct note n = {.type = NOTE_STATUS, .lane = LANE_FILE, .payload = bytes};
	str rest = bytes;

	envelope_add_rcpt(&e, &a, &r);
	e.status = arena_zero(&a, sizeof *e.status);
	while (note_take(&rest, &n))
		note_merge(&n, &e, &a);
	n = (struct note){
	    .type = bytes.n % 2 ? NOTE_STATUS : NOTE_FLAGS, .lane = LANE_FILE, .payload = bytes};
	note_put(&made, &n);
	rest = buf_view(&made);
	if (!note_take(&rest, &n) || rest.n != 0)
		abort();
	note_merge(&n, &e, &a);
	buf_free(&made);
	arena_free(&a);
}

static bool see_record(const struct segment_record *r, void *arg)
{
	struct queue_ref ref;
	unsigned sum = 0;

	for (size_t i = 0; i < r->bytes.n; i++)
		sum += (unsigned char)r->bytes.p[i];
	*(unsigned *)arg += sum;
	record_ref(r, 1, &ref);
	return true;
}

static void scan(int fd, const struct segment_head *h)
{
	struct segment seg = {.fd = fd, .head = *h};
	struct segment_extent extent;
	unsigned sum = 0;

	segment_scan(&seg, false, see_record, &sum, &extent);
	segment_scan(&seg, true, see_record, &sum, &extent);
}

static void try_segment(str bytes)
{
	struct segment_head h;
	struct err err;
	int fd = memory_file(bytes);

	if (segment_head_read(fd, &h, &err) == 0)
		scan(fd, &h);
	close(fd);
}

/* Records with right heads and wrong or right bodies, as two bytes of each piece say. */
static void try_segment_made(str bytes)
{
	struct segment_head h = {.state = SEGMENT_CLOSED, .generation = 7, .salt = 9};
	struct buf made = {0};
	uint32_t sequence = 1;
	int fd;

	memset(buf_room(&made, SEGMENT_DATA), 0, SEGMENT_DATA);
	buf_added(&made, SEGMENT_DATA);
	while (bytes.n >= 3) {
		unsigned char how = (unsigned char)bytes.p[0];
		size_t envelope = (unsigned char)bytes.p[1], content = (unsigned char)bytes.p[2];
		str body = str_head(str_from(bytes, 3), envelope + content);
		struct record_head r = {.generation = h.generation,
		    .salt = h.salt,
		    .sequence = sequence++,
		    .envelope_length = (uint32_t)envelope,
		    .content_length = (uint32_t)content};
		unsigned char head[RECORD_HEAD];

		if (body.n == envelope + content) {
			r.envelope_crc = crc32c(0, body.p, envelope);
			r.content_crc = crc32c(0, body.p + envelope, content);
		}
		if (how & 1)
			r.content_length *= 4096;
		if (how & 2)
			r.sequence += how >> 4;
		record_head_put(head, &r);
		buf_add(&made, head, sizeof head);
		buf_str(&made, body);
		while (made.n % (how & 4 ? 4096 : 8))
			buf_char(&made, 0);
		bytes = str_from(bytes, 3 + body.n);
	}
	h.size = h.end = made.n;
	fd = memory_file(buf_view(&made));
	scan(fd, &h);
	h.state = SEGMENT_ACTIVE;
	scan(fd, &h);
	close(fd);
	buf_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(str bytes) = {
	    try_envelope, try_file, try_file_made, try_notes, try_segment, try_segment_made};
	char *copy;

	if (size < 1)
		return 0;
	/* a block of its own, so that what lies behind it is out of bounds */
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	tries[data[0] % (sizeof tries / sizeof tries[0])](str_mem(copy, size - 1));
	free(copy);
	return 0;
}
