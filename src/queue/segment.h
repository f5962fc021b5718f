/* Segments of the log lane: their format, life and reading. Private to src/queue. Everything here
 * blocks on the disk and may run in a pool thread; no function touches the loop.
 *
 * A segment is a preallocated file log/NNNNNN.seg whose name never changes:
 *
 *     0      slot A of the header      one sector each; the valid one with the higher counter
 * holds. A header 4096   slot B of the header      is written into the other slot, so that a torn
 * write loses nothing. 8192   batches of records, each batch at a multiple of 4096
 *
 * Header, little-endian: magic "PSTNSEG1", crc32c of the rest (u32), state (u32), flags (u32),
 * number (u32), generation, salt, counter, size, end, records, taken_us (u64 each).
 *
 * Record: 48 bytes of head, envelope, content, filled to a multiple of 8. Head: magic (u32), crc32c
 * of the rest of the head (u32), generation (u64), salt (u64), sequence (u32), lengths of envelope
 * and content (u32 each), crc32c of envelope and of content (u32 each), 4 bytes of zero. The salt
 * is random and new with each generation: nobody can put into a message what would be taken for a
 * record. Within a batch a record begins where the one before it ends; a batch shares no block with
 * another, so that a failing write harms nothing acknowledged.
 *
 * Life: FREE -> ACTIVE (taken: new generation, durable before the first record) -> CLOSED (end and
 * records are final)
 * -> FREE (every message is finished; durable before it can be taken) or unlinked. Who changes the
 * header or appends holds an exclusive flock on the file. ACTIVE without a lock: its writer is
 * dead. */
#ifndef POSTERN_QUEUE_SEGMENT_H
#define POSTERN_QUEUE_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

#define LOG_DIR		 "log"
#define SEGMENT_PATH	 40
#define SEGMENT_SLOT	 4096
#define SEGMENT_DATA	 (2 * SEGMENT_SLOT)
#define SEGMENT_SIZE	 (64u << 20)
#define SEGMENT_SIZE_MIN (2u << 20)
#define BATCH_ALIGN	 4096
#define RECORD_HEAD	 48
#define RECORD_MAX	 (1u << 20) /* head, envelope and content; larger messages are files */

enum segment_state { SEGMENT_FREE = 1, SEGMENT_ACTIVE = 2, SEGMENT_CLOSED = 3 };
enum {
	SEGMENT_BAD = 1 << 0, /* a write or sync failed: not used again */
};
struct segment_head {
	enum segment_state state;
	uint32_t flags, number;
	uint64_t generation, salt, counter;
	uint64_t size;	       /* of the file, as preallocated */
	uint64_t end, records; /* CLOSED: first byte behind the last record, number of records */
	int64_t taken_us;
};
struct segment {
	int fd; /* -1: none */
	struct segment_head head;
};

char *segment_path(char out[SEGMENT_PATH], uint64_t number);
/* Number of a segment's file name, or -1. */
int64_t segment_number(const char *name);
/* Numbers of all segments in the directory, ascending; the caller frees *out. Their count, or -1
 * and err. */
int64_t segment_list(uint64_t **out, struct err *err);

/* Opens an existing one (O_RDONLY or O_RDWR) and reads its header; err code EBADMSG: no valid
 * header, ENOENT: gone, EAGAIN: not made yet (all zero). */
int segment_open(struct segment *s, uint64_t number, int flags, struct err *err);
int segment_head_read(int fd, struct segment_head *h, struct err *err);
/* Writes the header into the other slot, durably; h->counter is advanced. -1 with errno. */
int segment_head_write(int fd, struct segment_head *h);
/* Tries to lock it; false when another holds it, or when the file has been unlinked. */
bool segment_lock(int fd);
void segment_release(struct segment *s); /* closes the descriptor and so unlocks */

/* Takes a FREE segment, or makes one: locked, ACTIVE, durable. */
int segment_take(struct segment *s, struct err *err);
/* Makes a FREE one, written with zeroes, unless one is there. For the time ahead of need. */
int segment_prepare(struct err *err);
/* Makes a locked, held segment CLOSED (durably) with this end, and releases it. -1 and err when
 * that could not be recorded; it is released all the same. */
int segment_close(struct segment *s, uint64_t end, uint64_t records, bool bad, struct err *err);
/* Every message of this CLOSED generation is finished: FREE, or unlinked if unlink or it is bad. 0,
 * 1 when it was not to be had (locked, other generation), -1 and err. */
int segment_free(uint64_t number, uint64_t generation, bool unlink, struct err *err);

/* --- records */
struct record_head {
	uint64_t generation, salt;
	uint32_t sequence, envelope_length, content_length, envelope_crc, content_crc;
};
void record_head_put(unsigned char out[RECORD_HEAD], const struct record_head *h);
bool record_head_get(
    const unsigned char in[RECORD_HEAD], struct record_head *h); /* false: not one */
static inline uint64_t record_length(uint64_t envelope, uint64_t content)
{
	return (RECORD_HEAD + envelope + content + 7) & ~(uint64_t)7;
}
static inline uint64_t batch_align(uint64_t offset)
{
	return (offset + BATCH_ALIGN - 1) & ~(uint64_t)(BATCH_ALIGN - 1);
}

struct segment_record {
	uint64_t offset, length;
	struct record_head head;
	uint64_t content_offset;
	const char
	    *damage; /* NULL: complete; else what is wrong (length covers the damaged region) */
	str envelope,
	    bytes; /* valid during the call; bytes: the whole region (cut at 1 MiB when damaged) */
};
struct segment_extent {
	uint64_t end, records; /* as a header would have it */
};
/* Calls fn for every record of the segment's life, in order, and for damaged regions between them;
 * fn returns false to stop. live: its writer is at work; the first bad record is the end. What is
 * behind the last complete record is a torn tail that was promised to nobody, and is not reported.
 * Unreadable blocks count as damaged. */
void segment_scan(const struct segment *s, bool live,
    bool (*fn)(const struct segment_record *r, void *arg), void *arg,
    struct segment_extent *extent);

struct queue_ref;
/* The place of a complete record's message, with its ID from the envelope; false when that has
 * none. */
bool record_ref(const struct segment_record *r, uint64_t segment, struct queue_ref *ref);

#endif
