/* Writing messages: cleanup into the queue, postdrop into the maildrop. */
#ifndef POSTERN_QUEUE_WRITE_H
#define POSTERN_QUEUE_WRITE_H

#include "queue/queue.h"

/* The log writer of this process: takes free segments, appends, syncs in batches. Opened lazily.
 * on_closed is told of each segment it will not append to any more. */
struct queue_writer;
struct queue_writer *queue_writer_new(void (*on_closed)(uint64_t segment, uint64_t generation));
void queue_writer_free(struct queue_writer *w); /* closes its segment */

/* A message being written. Content is gathered in memory up to the in-memory limit, and goes to a
 * file in incoming/ beyond that. */
struct queue_message;
struct queue_message *queue_message_new(struct queue_writer *w, const char *id);
/* Appends content (wire form). -1 and err (ENOSPC, EIO, EFBIG...); then abort. May wait (large
 * messages). */
int queue_message_content(struct queue_message *m, str wire, struct err *err);
uint64_t queue_message_length(const struct queue_message *m);
/* Content so far, when it is all in memory; else {NULL,0}. For milters that change it. */
str queue_message_memory(struct queue_message *m);
/* The file that all content is in, when it is not in memory: an open descriptor (it stays m's), and
 * where the content begins. -1 and err. May wait. */
int queue_message_file(struct queue_message *m, uint64_t *offset, struct err *err);
/* A new, empty try at the same message. The content of m can be read until m is aborted, but m can
 * no longer be committed. */
struct queue_message *queue_message_again(struct queue_message *m);
/* Makes the message durable and fills *ref. queue: "incoming", or "hold" (always a file). The
 * envelope's message record is completed here (size and flags are the caller's). On success the
 * message is in the queue and m is freed; on failure m stays, nothing of it is in the queue. May
 * wait. */
int queue_message_commit(struct queue_message *m, const char *queue, const struct envelope *e,
    struct queue_ref *ref, struct err *err);
void queue_message_abort(struct queue_message *m);

/* One file, synchronously, without loop or writer: postdrop's maildrop file. Content comes from
 * memory. 0 and the file is durable under its final name; -1 and err. */
int queue_write_file(const char *queue, const char *id, mode_t mode, const struct envelope *e,
    str content, struct err *err);
/* The same with the name and the content of a message that is in the queue. */
int queue_copy_file(const char *queue, const struct queue_ref *from, mode_t mode,
    const struct envelope *e, struct err *err);

#endif
