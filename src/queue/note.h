/* Notes: what became of a message after it was written. Records of the status log and of the status
 * area at the end of a queue file. Private to src/queue.
 *
 * Little-endian: crc32c of the rest (u32), payload length (u32), type (u8), lane (u8), id length
 * (u16), key, payload. Key, in the status log: log lane: segment (u32), generation (u64), offset
 * (u64); file lane: the ID. In a file: none. Payload: STATUS: the frame of a RCPT_STATUS message;
 * FLAGS: u32 of MESSAGE_* bits; FINISHED: nothing. */
#ifndef POSTERN_QUEUE_NOTE_H
#define POSTERN_QUEUE_NOTE_H

#include "base/buf.h"
#include "queue/queue.h"

enum note_type { NOTE_STATUS = 1, NOTE_FLAGS = 2, NOTE_FINISHED = 3 };

struct note {
	enum note_type type;
	enum queue_lane lane; /* LANE_FILE without id: of the file that it stands in */
	uint64_t segment, generation, offset;
	str id, payload;
};
#define NOTE_PAYLOAD_MAX (1u << 20)

void note_put(struct buf *out, const struct note *n);
/* Takes the next note; slices of *n point into it. False at the end, or where a record is not
 * whole. */
bool note_take(str *in, struct note *n);

/* The key of a message in the status log. */
struct note note_of(const struct queue_ref *ref, enum note_type type, str payload);
/* A note about a message in its own file. */
void note_put_own(struct buf *out, enum note_type type, str payload);
/* Puts a STATUS note's or FLAGS note's content into the envelope. A malformed one is skipped. */
void note_merge(const struct note *n, struct envelope *e, struct arena *a);
/* STATUS notes of every recipient that has one. */
void note_put_statuses(struct buf *out, const struct envelope *e);

#endif
