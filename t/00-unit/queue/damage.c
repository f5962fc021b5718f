/* Torn tails and flipped bits: a scan returns exactly the complete records. */
#include "scratch.h"

#include "queue/qfile.h"
#include <sys/mman.h>

#define RECORDS 6

static struct err err;
static unsigned char *image; /* of a segment with RECORDS messages, as its dead writer left it */
static size_t image_size, image_end;
static struct queue_ref refs[RECORDS];

struct put {
	struct queue_writer *w;
	int i;
};

static void put_one(void *arg)
{
	struct put *p = arg;
	char id[16];

	snprintf(id, sizeof id, "EEEE%d", p->i);
	scratch_put(p->w, id, "incoming", 200 + (size_t)p->i * 37, 1, &refs[p->i], &err);
}

/* Three batches: 0, 1 to 3, 4 and 5. The segment is used for the second time, with other messages
 * behind the end. */
static void make_image(void)
{
	static const int batches[] = {1, 3, 2};
	struct queue_writer *w = queue_writer_new(NULL);
	struct put puts[RECORDS];
	struct queue_ref old;
	struct queue_store *s;
	struct scope scope;
	int n = 0, fd;
	char id[16];

	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof id, "0LD%d", i);
		scratch_put(w, id, "incoming", 700, 1, &old, &err);
	}
	queue_writer_free(w);
	s = scratch_open();
	for (int i = 0; i < found.n; i++)
		queue_store_finish(s, &found.ref[i]);
	queue_store_close(s);
	w = queue_writer_new(NULL);
	scope_init(&scope);
	for (size_t b = 0; b < ARRAY_SIZE(batches); b++) {
		for (int i = 0; i < batches[b]; i++, n++) {
			puts[n] = (struct put){w, n};
			co_start(&scope, "put", put_one, &puts[n]);
		}
		scope_join(&scope);
	}
	fd = open("log/000001.seg", O_RDONLY);
	image_end = refs[RECORDS - 1].offset + refs[RECORDS - 1].length;
	image_size = image_end + 64 * 1024;
	image = mem_alloc(image_size);
	if (read(fd, image, image_size) != (ssize_t)image_size)
		abort();
	close(fd);
	queue_writer_free(w);
	ok(refs[RECORDS - 1].segment == 1 && scratch_count("log", ".seg") == 1,
	    "one segment, in its second life");
	ok(memmem(image + image_end, image_size - image_end, "0LD", 3),
	    "with old records behind the new ones");
}

struct seen {
	bool whole[RECORDS];
	int strange, damaged;
	uint64_t damaged_bytes;
};

static bool see(const struct segment_record *r, void *arg)
{
	struct seen *s = arg;
	struct queue_ref ref;
	int i;

	if (r->damage) {
		s->damaged++;
		s->damaged_bytes += r->length;
		return true;
	}
	for (i = 0; i < RECORDS; i++) {
		if (refs[i].offset != r->offset)
			continue;
		s->whole[i] = record_ref(r, 1, &ref) && strcmp(ref.id, refs[i].id) == 0 &&
			      ref.content_offset == refs[i].content_offset &&
			      ref.content_length == refs[i].content_length;
		return true;
	}
	s->strange++;
	return true;
}

static struct seen scan_bytes(
    const unsigned char *p, size_t n, bool closed, struct segment_extent *extent)
{
	struct segment seg = {.fd = memfd_create("segment", 0)};
	struct seen seen = {0};

	if (write(seg.fd, p, n) != (ssize_t)n)
		abort();
	if (segment_head_read(seg.fd, &seg.head, &err) < 0)
		abort();
	if (closed) {
		seg.head.state = SEGMENT_CLOSED;
		seg.head.end = image_end;
		seg.head.records = RECORDS;
	}
	segment_scan(&seg, false, see, &seen, extent);
	close(seg.fd);
	return seen;
}

/* Messages whose bytes end at or before n. */
static int whole_before(size_t n)
{
	int count = 0;

	for (int i = 0; i < RECORDS; i++)
		count += refs[i].content_offset + refs[i].content_length <= n;
	return count;
}

static bool exactly(const struct seen *s, int first)
{
	for (int i = 0; i < RECORDS; i++)
		if (s->whole[i] != (i < first))
			return false;
	return s->strange == 0;
}

static void torn_tail(void)
{
	unsigned char *copy = mem_alloc(image_size);
	size_t cuts = 0, good = 0, zero_good = 0, old_good = 0, quiet = 0;
	struct segment_extent extent;

	for (size_t cut = SEGMENT_DATA; cut <= image_end; cut++, cuts++) {
		struct seen seen = scan_bytes(image, cut, false, &extent);
		int n = whole_before(cut);

		good += exactly(&seen, n) && extent.records == (uint64_t)n;
		quiet += seen.damaged == 0;
		memcpy(copy, image, cut);
		memset(copy + cut, 0, image_size - cut);
		seen = scan_bytes(copy, image_size, false, &extent);
		zero_good += exactly(&seen, n) && seen.damaged == 0;
		/* what the writer would have overwritten: records of an earlier life */
		memcpy(copy + cut, image + image_size - (image_size - cut) % 4096 - 4096, 4096);
		seen = scan_bytes(copy, image_size, false, &extent);
		old_good += exactly(&seen, n) && seen.damaged == 0;
	}
	printf("# %zu cuts\n", cuts);
	is_int(good, cuts, "cut at every byte: exactly the complete messages");
	is_int(quiet, cuts, "and no complaint about the torn one");
	is_int(zero_good, cuts, "the same with zeroes behind the cut");
	is_int(old_good, cuts, "the same with old bytes behind the cut");
	free(copy);
}

/* Whoever guesses the generation cannot put a record into his message: he does not know the salt.
 */
static void forged(void)
{
	unsigned char *copy = mem_alloc(image_size);
	struct segment_extent extent;
	struct record_head h;
	struct seen seen;

	for (int what = 0; what < 2; what++) {
		memcpy(copy, image, image_size);
		if (!record_head_get(copy + refs[2].offset, &h))
			abort();
		if (what == 0)
			h.salt ^= 1;
		else
			h.generation ^= 1;
		record_head_put(copy + refs[2].offset, &h);
		seen = scan_bytes(copy, image_size, false, &extent);
		ok(!seen.whole[2] && seen.strange == 0 && seen.damaged == 1,
		    what == 0 ? "a record with another salt is none" : "or another generation");
		is_int((long long)extent.records, RECORDS - 1, "all the others are found");
	}
	free(copy);
}

static void flipped_bits(bool closed)
{
	size_t flips = 0, good = 0, told = 0, tail = 0;
	struct segment_extent extent;

	for (int i = 0; i < RECORDS; i++) {
		uint64_t end = refs[i].content_offset + refs[i].content_length;

		for (uint64_t at = refs[i].offset; at < end; at++) {
			struct seen seen;
			bool rest = true;

			/* every bit of the head, one of each byte elsewhere */
			for (int bit = 0; bit < (at < refs[i].offset + RECORD_HEAD ? 8 : 1);
			     bit++) {
				if (at >= refs[i].offset + 44 && at < refs[i].offset + RECORD_HEAD)
					continue;
				image[at] ^= (unsigned char)(1 << bit);
				seen = scan_bytes(image, image_size, closed, &extent);
				image[at] ^= (unsigned char)(1 << bit);
				rest = seen.strange == 0;
				for (int k = 0; k < RECORDS; k++)
					rest = rest && seen.whole[k] == (k != i);
				flips++;
				good += rest;
				if (closed || i < RECORDS - 1)
					told += seen.damaged == 1 &&
						seen.damaged_bytes >= refs[i].length - 7;
				else
					tail += seen.damaged == 0;
			}
		}
	}
	printf("# %zu flips\n", flips);
	is_int(good, flips,
	    closed ? "a flipped bit costs its own message only (closed segment)"
		   : "a flipped bit costs its own message only (dead writer)");
	is_int(told + tail, flips, "and is told, except in what may be a torn tail");
}

/* Whole recovery with a damaged record in the middle. */
static void recovery(void)
{
	struct queue_store *s;
	int fd = open("log/000001.seg", O_RDWR);
	char c;
	pid_t ignored = 0;

	(void)ignored;
	if (pread(fd, &c, 1, (off_t)refs[2].content_offset) != 1)
		abort();
	c ^= 4;
	if (pwrite(fd, &c, 1, (off_t)refs[2].content_offset) != 1)
		abort();
	s = scratch_open();
	is_int(found.n, RECORDS - 1, "recovery returns the others");
	is_int(scratch_count("corrupt", "log-000001"), 1, "and saves the damaged one");
	queue_store_close(s);
	/* both headers gone */
	if (pwrite(fd, "XXXXXXXXXXXXXX", 14, 0) != 14 || pwrite(fd, "XXXXXXXXXXXX", 12, 4096) != 12)
		abort();
	s = scratch_open();
	is_int(found.n, RECORDS - 1, "with a damaged header its records are still found");
	for (int i = 0; i < found.n; i++)
		queue_store_finish(s, &found.ref[i]);
	queue_store_close(s);
	s = scratch_open();
	is_int(found.n, 0, "and can be finished");
	queue_store_close(s);
	close(fd);
	fd = open("log/000077.seg", O_RDWR | O_CREAT, 0600);
	if (write(fd, "nonsense", 8) != 8)
		abort();
	close(fd);
	fd = open("log/000078.seg", O_RDWR | O_CREAT, 0600);
	if (ftruncate(fd, 100000) < 0)
		abort();
	close(fd);
	s = scratch_open();
	queue_store_close(s);
	is_int(scratch_count("corrupt", "000077.seg"), 1, "what is no segment is put away");
	is_int(scratch_count("log", "000078"), 0, "one that was never made whole is removed");
}

static void write_at(const char *path, off_t at, const char *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	if (fd < 0 || pwrite(fd, bytes, n, at) != (ssize_t)n)
		abort();
	close(fd);
}

static void damaged_files(void)
{
	struct arena a = {0};
	struct envelope e = scratch_envelope(&a, "s@example.test", 2), d;
	struct ipc_rcpt_status st = {.index = 0, .kind = RCPT_SENT, .reason = STR("first")};
	struct queue_ref ref = {.lane = LANE_FILE, .id = "FFFF1", .queue = "deferred"};
	struct queue_store *s;
	struct stat before, after;
	size_t good = 0, tries = 0;
	struct qfile_head h;
	int fd;

	is_int(
	    queue_write_file("deferred", "FFFF1", 0700, &e, STR("a\r\nb\r\n"), &err), 0, "a file");
	s = scratch_open();
	queue_store_status(s, &ref, &st);
	scratch_sync(s);
	stat("deferred/F/FFFF1", &before);
	st = (struct ipc_rcpt_status){.index = 1, .kind = RCPT_SENT, .reason = STR("second")};
	queue_store_status(s, &ref, &st);
	scratch_sync(s);
	stat("deferred/F/FFFF1", &after);
	for (off_t n = after.st_size - 1; n >= before.st_size; n--, tries++) {
		if (truncate("deferred/F/FFFF1", n) < 0)
			abort();
		if (queue_read_envelope(&ref, &d, &a, &err) == 0)
			good += d.status[0].kind == RCPT_SENT && d.status[1].kind == RCPT_PENDING;
	}
	is_int(good, tries, "a torn status area ends at its last whole note");
	write_at("deferred/F/FFFF1", before.st_size,
	    "\x07\x01\x02\x03\x04\x05\x06\x07\x08\x09\x10\x11\x12\x13", 14);
	queue_store_status(s, &ref, &st);
	scratch_sync(s);
	queue_store_close(s);
	queue_read_envelope(&ref, &d, &a, &err);
	ok(d.status[1].kind == RCPT_SENT, "and goes on there");
	fd = qfile_open("deferred/F/FFFF1", O_RDONLY, &h, &err);
	is_int(qfile_check_content(fd, &h, &err), 0, "its content is whole");
	close(fd);
	write_at("deferred/F/FFFF1", QFILE_HEAD + 1, "X", 1);
	fd = qfile_open("deferred/F/FFFF1", O_RDONLY, &h, &err);
	is_int(qfile_check_content(fd, &h, &err), -1, "or not");
	close(fd);
	write_at("deferred/F/FFFF1", (off_t)h.envelope_offset + 20, "XX", 2);
	is_int(queue_read_envelope(&ref, &d, &a, &err), -1, "a damaged envelope");
	is_int(err.code, EBADMSG, "is told");
	printf("# %s\n", err.text);
	write_at("deferred/F/FFFF1", 30, "X", 1);
	is_int(queue_read_envelope(&ref, &d, &a, &err), -1, "a damaged header");
	is_int(err.code, EBADMSG, "too");
	if (rename("deferred/F/FFFF1", "active/FFFF1") < 0)
		abort();
	s = scratch_open();
	ok(!scratch_find("FFFF1"), "is not found at the start");
	queue_store_close(s);
	is_int(scratch_count("corrupt", "FFFF1"), 1, "but moved to corrupt");
	arena_free(&a);
}

static void run(void *arg)
{
	(void)arg;
	make_image();
	torn_tail();
	forged();
	flipped_bits(false);
	flipped_bits(true);
	recovery();
	damaged_files();
}

int main(void)
{
	scratch_queue();
	loop_init();
	loop_run(run, NULL);
	free(image);
	scratch_remove();
	return done();
}
