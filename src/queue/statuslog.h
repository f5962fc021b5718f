/* The status log: qmgr's append-only record of what became of messages. Private to src/queue.
 *
 * Files log/status.NNNNNN, read in the order of their numbers. Each is "PSTNSTA1" and then notes
 * (note.h). A file ends at its first bad record. There is no rewriting: a file is removed once
 * every segment it speaks of has begun a new life, and every queue file it calls finished is gone
 * for good; that time is short because nothing stays long in the log lane. */
#ifndef POSTERN_QUEUE_STATUSLOG_H
#define POSTERN_QUEUE_STATUSLOG_H

#include "queue/note.h"

#define STATUS_MAGIC "PSTNSTA1"
#define STATUS_PATH  40

char *status_path(char out[STATUS_PATH], uint64_t number);
/* Numbers of the files that are there, ascending; the caller frees. Their count, or -1 and err. */
int64_t status_list(uint64_t **out, struct err *err);
/* Calls fn for every note of one file, in order. -1 and err when it cannot be read (ENOENT: gone).
 */
int status_read(
    uint64_t number, void (*fn)(const struct note *n, void *arg), void *arg, struct err *err);
/* All of them. A file that vanishes meanwhile is skipped. */
int status_read_all(void (*fn)(const struct note *n, void *arg), void *arg, struct err *err);

/* --- what the log says of messages of the log lane, in memory: for the start of qmgr and for tools
 */
struct status_index;
struct status_index *status_index_new(void);
void status_index_note(struct status_index *x, const struct note *n); /* in order */
void status_index_free(struct status_index *x);
bool status_index_finished(
    const struct status_index *x, uint64_t segment, uint64_t generation, uint64_t offset);
bool status_index_file_finished(const struct status_index *x, const char *id);
/* Merges the statuses of a message of the log lane. */
void status_index_merge(
    const struct status_index *x, const struct queue_ref *ref, struct envelope *e, struct arena *a);
/* Forgets what is known of a segment's life. */
void status_index_drop(struct status_index *x, uint64_t segment, uint64_t generation);
/* The index that queue_read_envelope() asks in this process; NULL: it reads the log. */
extern const struct status_index *status_index_current;

#endif
