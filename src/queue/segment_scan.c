/* Reading the records of a segment. */
#include "queue/segment.h"

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/mem.h"
#include "queue/le.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAGIC 0x63655250u /* "PRec" */
#define WINDOW	     (4u << 20)
#define RESYNC_MAX   (8u << 20) /* how far behind a damaged record the next one is looked for */
#define DAMAGE_MAX   (1u << 20) /* how much of a damaged region is handed out */

void record_head_put(unsigned char out[RECORD_HEAD], const struct record_head *h)
{
	le32_put(out, RECORD_MAGIC);
	le64_put(out + 8, h->generation);
	le64_put(out + 16, h->salt);
	le32_put(out + 24, h->sequence);
	le32_put(out + 28, h->envelope_length);
	le32_put(out + 32, h->content_length);
	le32_put(out + 36, h->envelope_crc);
	le32_put(out + 40, h->content_crc);
	le32_put(out + 44, 0);
	le32_put(out + 4, crc32c(0, out + 8, RECORD_HEAD - 8));
}

bool record_head_get(const unsigned char in[RECORD_HEAD], struct record_head *h)
{
	if (le32_get(in) != RECORD_MAGIC || le32_get(in + 4) != crc32c(0, in + 8, RECORD_HEAD - 8))
		return false;
	h->generation = le64_get(in + 8);
	h->salt = le64_get(in + 16);
	h->sequence = le32_get(in + 24);
	h->envelope_length = le32_get(in + 28);
	h->content_length = le32_get(in + 32);
	h->envelope_crc = le32_get(in + 36);
	h->content_crc = le32_get(in + 40);
	return (uint64_t)RECORD_HEAD + h->envelope_length + h->content_length <= RECORD_MAX;
}

/* A piece of the file in memory, moved forward as the scan goes. */
struct window {
	int fd;
	uint64_t limit; /* nothing is read from here on */
	unsigned char *p;
	size_t size; /* room at p */
	uint64_t base;
	size_t n;
};

/* n bytes (at most RECORD_MAX) at offset, or NULL when the file or the limit ends before. */
static const unsigned char *window_at(struct window *w, uint64_t offset, size_t n)
{
	size_t want, have = 0;

	if (offset + n > w->limit)
		return NULL;
	if (offset >= w->base && offset + n <= w->base + w->n)
		return w->p + (offset - w->base);
	want = w->limit - offset < w->size ? (size_t)(w->limit - offset) : w->size;
	while (have < want) {
		ssize_t got = fault_at("queue.log.read")
				  ? -1
				  : pread(w->fd, w->p + have, want - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			/* an unreadable block: what is in it is damaged, what is behind it is not
			 */
			got = BATCH_ALIGN - (ssize_t)((offset + have) % BATCH_ALIGN);
			if ((size_t)got > want - have)
				got = (ssize_t)(want - have);
			memset(w->p + have, 0, (size_t)got);
		}
		if (got == 0)
			break;
		have += (size_t)got;
	}
	w->base = offset;
	w->n = have;
	return have >= n ? w->p : NULL;
}

struct scan {
	struct window window;
	uint64_t generation, salt;
	uint32_t sequence; /* of the next record */
	bool (*fn)(const struct segment_record *r, void *arg);
	void *arg;
	bool stopped;
	struct segment_extent extent;
};

/* A head of this life at offset whose sequence is not behind. */
static bool scan_head(struct scan *s, uint64_t offset, struct record_head *h)
{
	const unsigned char *p = window_at(&s->window, offset, RECORD_HEAD);

	return p && record_head_get(p, h) && h->generation == s->generation && h->salt == s->salt &&
	       h->sequence >= s->sequence &&
	       offset + RECORD_HEAD + h->envelope_length + h->content_length <= s->window.limit;
}

static void scan_damage(struct scan *s, uint64_t offset, uint64_t length)
{
	struct segment_record r = {
	    .offset = offset, .length = length, .damage = "checksum or sequence is wrong"};
	size_t n = length < DAMAGE_MAX ? (size_t)length : DAMAGE_MAX;
	const unsigned char *p = window_at(&s->window, offset, n);

	if (p)
		r.bytes = str_mem(p, n);
	if (!s->fn(&r, s->arg))
		s->stopped = true;
}

/* Is the record whole whose head is good? *r is filled in. */
static bool scan_body(
    struct scan *s, uint64_t offset, const struct record_head *h, struct segment_record *r)
{
	size_t n = RECORD_HEAD + (size_t)h->envelope_length + h->content_length;
	const unsigned char *p = window_at(&s->window, offset, n);

	if (!p || crc32c(0, p + RECORD_HEAD, h->envelope_length) != h->envelope_crc ||
	    crc32c(0, p + RECORD_HEAD + h->envelope_length, h->content_length) != h->content_crc)
		return false;
	*r = (struct segment_record){
	    .offset = offset,
	    .length = record_length(h->envelope_length, h->content_length),
	    .head = *h,
	    .content_offset = offset + RECORD_HEAD + h->envelope_length,
	    .envelope = str_mem(p + RECORD_HEAD, h->envelope_length),
	    .bytes = str_mem(p, n),
	};
	return true;
}

/* The next head of this life behind offset, or 0. */
static uint64_t scan_resync(struct scan *s, uint64_t offset, struct record_head *h)
{
	uint64_t end = offset + RESYNC_MAX;

	for (offset += 8; offset < end; offset += 8) {
		const unsigned char *p = window_at(&s->window, offset, 8);

		if (!p)
			return 0;
		if (le32_get(p) == RECORD_MAGIC && scan_head(s, offset, h))
			return offset;
	}
	return 0;
}

/* Where the next record is, when the one before ended at offset: there, or in the next batch. 0:
 * nowhere. */
static uint64_t scan_next(struct scan *s, uint64_t offset, struct record_head *h)
{
	if (scan_head(s, offset, h) && h->sequence == s->sequence)
		return offset;
	offset = batch_align(offset);
	if (scan_head(s, offset, h) && h->sequence == s->sequence)
		return offset;
	return 0;
}

/* Damaged regions are reported only when a complete record follows: until then they may be the torn
 * tail. Returns where a region begins that nothing followed, or 0. */
static uint64_t scan_run(struct scan *s, bool live)
{
	uint64_t at = SEGMENT_DATA, gap = 0;

	while (!s->stopped) {
		struct record_head h;
		struct segment_record r;
		uint64_t found = scan_next(s, at, &h);

		if (!found && !live) {
			found = scan_resync(s, at, &h);
			if (found && !gap)
				gap = at;
		}
		if (!found)
			break;
		s->sequence = h.sequence + 1;
		at = found + record_length(h.envelope_length, h.content_length);
		if (scan_body(s, found, &h, &r)) {
			s->extent.end = at;
			s->extent.records++;
			if (gap) {
				scan_damage(s, gap, found - gap);
				/* the window may have moved */
				scan_body(s, found, &h, &r);
			}
			gap = 0;
			if (!s->stopped && !s->fn(&r, s->arg))
				s->stopped = true;
		} else if (live) {
			break;
		} else if (!gap) {
			gap = found;
		}
	}
	return gap ? gap : at;
}

void segment_scan(const struct segment *seg, bool live,
    bool (*fn)(const struct segment_record *r, void *arg), void *arg, struct segment_extent *extent)
{
	bool closed = seg->head.state == SEGMENT_CLOSED;
	struct scan s = {
	    .window = {.fd = seg->fd,
		.limit = closed ? seg->head.end : UINT64_MAX / 2,
		.size = WINDOW},
	    .generation = seg->head.generation,
	    .salt = seg->head.salt,
	    .sequence = 1,
	    .fn = fn,
	    .arg = arg,
	    .extent = {.end = SEGMENT_DATA},
	};
	uint64_t tail;
	struct stat st;

	if (fstat(seg->fd, &st) == 0 && (uint64_t)st.st_size < s.window.limit)
		s.window.limit = (uint64_t)st.st_size;
	if (s.window.limit < WINDOW)
		s.window.size = (size_t)s.window.limit;
	s.window.p = mem_alloc(s.window.size);
	tail = scan_run(&s, live);
	/* The end of a closed segment was acknowledged: what is missing before it is damage. */
	if (closed && !s.stopped && tail < seg->head.end)
		scan_damage(&s, tail, seg->head.end - tail);
	free(s.window.p);
	if (extent)
		*extent = s.extent;
}
