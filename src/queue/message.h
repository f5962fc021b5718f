/* A message being written, as the writer's parts share it. Private to src/queue. */
#ifndef POSTERN_QUEUE_MESSAGE_H
#define POSTERN_QUEUE_MESSAGE_H

#include "queue/qfile.h"
#include "queue/segment.h"
#include "queue/write.h"

#define MESSAGE_MEMORY (512u << 10) /* content of one message that is kept in memory */
#define PROCESS_MEMORY (64u << 20)  /* of all messages of this process */

struct queue_message {
	struct queue_writer *writer;
	char id[QUEUE_ID_MAX];
	struct buf content;   /* all of it, or what has not gone to the file yet */
	uint32_t content_crc; /* of what is in memory, unless something has spilled */
	uint64_t length;
	size_t counted; /* bytes of content that are in the process's account */
	bool spilled;
	struct qfile_temp file; /* when spilled; empty after an error */
	/* commit to the log */
	unsigned char head[RECORD_HEAD];
	struct buf envelope;
	struct queue_ref *ref;
	struct cond cond;
	bool done;
	int error;
};

/* Appends the message (content in memory, envelope encoded) to the log with the next batch. 0, or
 * an errno value. May wait. */
int writer_append(struct queue_writer *w, struct queue_message *m, struct queue_ref *ref);

#endif
