/* The queue: two lanes behind one interface. doc/internals.md ("Queue") has the format and the
 * reasons.
 *
 * Who may do what: cleanup writes (queue_write.h); qmgr alone reads, marks, moves and ends messages
 * while the system runs (queue_store.h); agents and bounce open content by the path in their
 * request (queue_content_open); tools look messages up on the disk (queue_find, queue_scan), and
 * change them on the disk only while the system is down. All paths are relative to the queue
 * directory. */
#ifndef POSTERN_QUEUE_QUEUE_H
#define POSTERN_QUEUE_QUEUE_H

#include "queue/envelope.h"

enum queue_lane { LANE_LOG = 1, LANE_FILE = 2 };

#define QUEUE_ID_MAX 64
struct queue_ref { /* where a message is */
	char id[QUEUE_ID_MAX];
	enum queue_lane lane;
	char queue[12]; /* file lane: incoming active deferred hold corrupt maildrop; log lane:
			   "log" */
	uint64_t segment, generation, offset, length; /* log lane */
	uint64_t content_offset, content_length;      /* in the file or segment */
};

/* A new queue ID, unique on this machine for as long as messages live; short or long form by
 * enable_long_queue_ids. Any process; never waits long (a block of numbers is fetched under a
 * lock). */
void queue_id_new(char out[QUEUE_ID_MAX]);
bool queue_id_valid(str id);   /* syntax: what may be used as a file name */
bool queue_id_is_long(str id); /* as enable_long_queue_ids makes them */
/* "deferred/A/B/AB123..." by hash_queue_names and hash_queue_depth. */
void queue_path(struct buf *out, const char *queue, const char *id);
/* Path of the file or segment that holds ref. */
void queue_ref_path(struct buf *out, const struct queue_ref *ref);

/* Makes the directories of a new queue with the documented modes and owners (postern start/check).
 */
int queue_create(struct err *err);

/* --- content, for agents and bounce */
/* Opens path for reading; kept open in a small cache of the process, also after its release. Each
 * open is paired with one queue_content_release(fd) when the content is no longer used: do not
 * close. -1 and err. */
int queue_content_open(const char *path, struct err *err);
void queue_content_release(int fd);
/* A reader of the content's lines: unstuffed, without their ends. Reads ahead in large pieces. A
 * line that is longer than CONTENT_PIECE comes in several, none empty: memory is bounded however
 * long it is. */
#define CONTENT_PIECE (64u << 10)
struct content_reader;
struct content_reader *content_open(int fd, uint64_t offset, uint64_t length);
/* 1: *line is the next line, or the next piece of it; 0: end; -1 and errno EIO: the file is shorter
 * than it should be. */
int content_line(struct content_reader *r, str *line);
/* Whether the last piece was the first of its line; the last of it. */
bool content_line_begins(const struct content_reader *r);
bool content_line_ends(const struct content_reader *r);
/* Where the last piece began, from the start of the content. */
uint64_t content_line_offset(const struct content_reader *r);
void content_rewind(struct content_reader *r);
void content_close(struct content_reader *r);

/* --- reading a message where it lies */
/* Reads and checks the envelope of ref, statuses merged, and fills in ref's content_offset and
 * content_length (file lane: a scan does not open files, so that they are 0 before). -1 and err
 * (EBADMSG: damaged; ENOENT: it is there no more). Blocks on the disk (page cache as a rule). */
int queue_read_envelope(
    struct queue_ref *ref, struct envelope *e, struct arena *a, struct err *err);
/* Looks a message up on the disk, in both lanes. 0; 1 when there is none; -1 and err. */
int queue_find(const char *id, struct queue_ref *ref, struct err *err);
/* Calls fn for every message on the disk in the named queue (NULL: all but maildrop and corrupt;
 * the log lane counts as "active"). fn returns false to stop. */
int queue_scan(const char *queue, bool (*fn)(const struct queue_ref *ref, void *arg), void *arg,
    struct err *err);

#endif
