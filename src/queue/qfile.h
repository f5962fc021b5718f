/* Files of the file lane. For src/queue and the commands that look at queue files; everything
 * blocks on the disk and may run in a pool thread.
 *
 *     0                 header, 64 bytes, written once
 *     64                content in wire form
 *     envelope offset   envelope records
 *     behind it         status area: notes (note.h), append-only; a torn tail is ignored
 *
 * Header, little-endian: magic "PSTNMSG1", crc32c of the rest (u32), crc32c of the envelope, crc32c
 * of the content, flags (u32 each), offset and length of the content, offset and length of the
 * envelope (u64 each), 8 bytes of zero.
 *
 * A file is made under a temporary name (".ID.tmp", locked while its maker lives) in its directory,
 * gets the owner's execute permission when it is whole, is synced, renamed, and its directory
 * synced. */
#ifndef POSTERN_QUEUE_QFILE_H
#define POSTERN_QUEUE_QFILE_H

#include "queue/queue.h"
#include <limits.h>

#define QFILE_HEAD 64

struct qfile_head {
	uint32_t envelope_crc, content_crc;
	uint64_t content_offset, content_length, envelope_offset, envelope_length;
};

/* --- making one: begin, content, finish, sync, publish, then the directory's sync (qfile_publish
 * does not) */
struct qfile_temp {
	int fd;
	char *path, *final; /* owned */
	struct qfile_head head;
};
int qfile_begin(struct qfile_temp *t, const char *queue, const char *id, struct err *err);
int qfile_content(struct qfile_temp *t, str content); /* appends; -1 with errno */
/* Copies content out of another file. */
int qfile_content_from(struct qfile_temp *t, int fd, uint64_t offset, uint64_t length);
/* Envelope, notes and header, permissions, file time (0: now). */
int qfile_finish(struct qfile_temp *t, str envelope, str notes, mode_t mode, int64_t mtime_s);
int qfile_sync(struct qfile_temp *t);
/* Gives it its name, which must be free, and closes it; t is empty then. -1 with errno: it is still
 * temporary. */
int qfile_publish(struct qfile_temp *t);
void qfile_forget(struct qfile_temp *t); /* closes it only */
void qfile_drop(struct qfile_temp *t);	 /* removes the temporary file; no-op for an empty one */
/* finish, sync, publish and directory sync in one; on failure nothing is there. err names the file.
 */
int qfile_commit(
    struct qfile_temp *t, str envelope, str notes, mode_t mode, int64_t mtime_s, struct err *err);

/* --- reading */
int qfile_open(
    const char *path, int flags, struct qfile_head *h, struct err *err); /* checks the header */
bool qfile_head_get(const unsigned char p[QFILE_HEAD], struct qfile_head *h);
/* Envelope with its notes merged; *end (may be NULL): where the next note goes. */
int qfile_read_envelope(int fd, const struct qfile_head *h, struct envelope *e, struct arena *a,
    uint64_t *end, struct err *err);
/* Compares the content's checksum: 0, or -1 and err (EBADMSG). */
int qfile_check_content(int fd, const struct qfile_head *h, struct err *err);
/* Appends notes to the file's status area; sync: durably. -1 with errno. */
int qfile_append(const char *path, str notes, bool sync);

/* --- names */
char *qfile_path(const char *queue, const char *id); /* the caller frees */
/* The queues of the file lane, NULL at the end: incoming active deferred hold */
extern const char *const qfile_queues[];
/* Calls fn for each regular file below a queue's directory, hashed or not; temporary: those with
 * names of temporary files instead. Races with removals and renames are harmless. -1 and err when
 * the directory cannot be read; 1: stopped. */
int qfile_walk(const char *queue, bool temporary,
    bool (*fn)(const char *path, const char *id, void *arg), void *arg, struct err *err);
/* Removes temporary files of a queue that nobody is writing any more; their number. */
int qfile_purge(const char *queue, int older_than_s);

#endif
