#include "queue/salvage.h"

#include "base/mem.h"
#include "queue/io.h"
#include "queue/queue.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void salvage_free(struct salvage *s)
{
	free(s->refs);
	buf_free(&s->warnings);
	*s = (struct salvage){0};
}

/* Saves a damaged region's bytes for whoever wants to look. */
static void salvage_corrupt(struct salvage *s, const struct segment_record *r)
{
	char path[96];
	int fd;

	snprintf(path, sizeof path, "corrupt/log-%06u-%" PRIu64 "-%" PRIu64,
	    (unsigned)s->head.number, s->head.generation, r->offset);
	buf_printf(&s->warnings,
	    "log segment %06u: %" PRIu64 " bytes at offset %" PRIu64
	    " are damaged (%s): saved as %s\n",
	    (unsigned)s->head.number, r->length, r->offset, r->damage, path);
	fd = io_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, "queue.file.open");
	if (fd < 0)
		return;
	if (io_write_at(fd, r->bytes.p, r->bytes.n, 0, "queue.file.write") < 0)
		unlink(path);
	close(fd);
}

static bool salvage_record(const struct segment_record *r, void *arg)
{
	struct salvage *s = arg;
	struct segment_record bad = *r;

	if (s->nrefs == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->refs = mem_realloc(s->refs, s->cap * sizeof *s->refs);
	}
	if (r->damage) {
		salvage_corrupt(s, r);
	} else if (record_ref(r, s->head.number, &s->refs[s->nrefs])) {
		s->nrefs++;
	} else {
		bad.damage = "envelope without a queue ID";
		salvage_corrupt(s, &bad);
	}
	return true;
}

/* Neither slot of the header is valid: the life to look for is that of the first record. */
static bool salvage_head(struct segment *seg, uint64_t number)
{
	unsigned char p[RECORD_HEAD];
	struct record_head h;
	off_t size = lseek(seg->fd, 0, SEEK_END);

	if (size < 0 || io_read_at(seg->fd, p, sizeof p, SEGMENT_DATA, "queue.log.read") < 0 ||
	    !record_head_get(p, &h))
		return false;
	seg->head = (struct segment_head){
	    .state = SEGMENT_ACTIVE,
	    .flags = SEGMENT_BAD,
	    .number = (uint32_t)number,
	    .generation = h.generation,
	    .salt = h.salt,
	    .size = (uint64_t)size,
	};
	return true;
}

static int salvage_open(struct segment *seg, uint64_t number, struct salvage *s, struct err *err)
{
	char path[SEGMENT_PATH], away[SEGMENT_PATH + 16];
	struct err bad;

	seg->fd = io_open(segment_path(path, number), O_RDWR, 0, "queue.segment.open");
	if (seg->fd < 0)
		return err_errno(err, errno, "open %s", path);
	s->live = !segment_lock(seg->fd);
	if (segment_head_read(seg->fd, &seg->head, &bad) == 0 && seg->head.number == number)
		return 0;
	if (s->live)
		return err_errno(err, EAGAIN, "%s is being made", path);
	if (bad.code != EAGAIN && salvage_head(seg, number)) {
		buf_printf(&s->warnings, "%s: damaged header, reading its records\n", path);
		return 0;
	}
	s->gone = true;
	if (bad.code == EAGAIN) {
		/* somebody died while he made it */
		io_unlink(path, "queue.segment.unlink");
		return 0;
	}
	snprintf(away, sizeof away, "corrupt/%06" PRIu64 ".seg", number);
	buf_printf(&s->warnings, "%s: damaged, nothing can be read: moved to %s\n", path, away);
	io_rename(path, away, true, "queue.file.rename");
	return 0;
}

int salvage_segment(uint64_t number, struct salvage *out, struct err *err)
{
	struct segment seg = {.fd = -1};
	struct segment_extent extent;
	int result;

	*out = (struct salvage){0};
	result = salvage_open(&seg, number, out, err);
	out->head = seg.head;
	if (result == 0 && !out->gone && seg.head.state != SEGMENT_FREE) {
		segment_scan(&seg, out->live && seg.head.state == SEGMENT_ACTIVE, salvage_record,
		    out, &extent);
		if (!out->live && seg.head.state == SEGMENT_ACTIVE) {
			/* When this cannot be recorded, the next start does the same again. */
			segment_close(
			    &seg, extent.end, extent.records, seg.head.flags & SEGMENT_BAD, NULL);
			out->head = seg.head;
		}
	}
	segment_release(&seg);
	return result;
}
