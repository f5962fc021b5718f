/* The parts of a queue_store, as its files share them. Private to src/queue. */
#ifndef POSTERN_QUEUE_PARTS_H
#define POSTERN_QUEUE_PARTS_H

#include "base/htab.h"
#include "base/list.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "queue/salvage.h"
#include "queue/statuslog.h"
#include "queue/store.h"

#define STORE_BUCKETS 256

struct store_record {	/* 8 bytes for each message of a segment that is in use */
	uint32_t place; /* offset / 8 */
	uint32_t live;
};
enum store_state {
	STORE_ACTIVE,  /* its writer may add more */
	STORE_CLOSING, /* its writer said that it will not; whether we know all its messages is not
			  checked yet */
	STORE_CLOSED,  /* all its messages are known: free when none lives */
	STORE_FREE,
};
struct store_segment {
	struct list node;
	struct store_segment *next; /* of its bucket */
	uint64_t number, generation;
	enum store_state state;
	bool busy;		      /* a job is at work on it */
	struct store_record *records; /* by offset */
	size_t n, cap, live;
	int64_t since_ms, aged_ms, retry_ms;
	unsigned checks;
	uint64_t expected;     /* CLOSING: number of records by its header, 0: not known yet */
	uint64_t first_status; /* lowest status log file that may speak of it, 0: none */
};

struct store_waiter {
	void (*done)(void *arg, int error);
	void *arg;
};
struct store_waiters {
	struct store_waiter *v;
	size_t n, cap;
};
struct file_notes { /* of one queue file, to be appended to it */
	struct list node;
	char id[QUEUE_ID_MAX], queue[12];
	struct buf notes;
};
struct status_writer {
	int fd; /* -1: the next flush begins a file */
	uint64_t
	    file; /* number of the file at fd, or of the next one; the pool thread's while busy */
	uint64_t number; /* the loop's: pending notes will be in this file or a later one */
	uint64_t offset; /* of the durable end */
	struct buf pending, running;
	struct list files_pending, files_running; /* struct file_notes */
	struct htab files;			  /* those of files_pending, by ID */
	struct store_waiters waiters, waiters_running;
	size_t fold_start, fold_end; /* the statuses of one message at the end of pending */
	uint64_t fold_segment, fold_offset;
	bool busy, scheduled;
	struct timer timer;
	int error;
	struct err trouble;
	int64_t complained_us;
	uint64_t oldest; /* lowest number of a file that is there */
};

struct store_unlink { /* a finished queue file */
	struct list node;
	uint64_t status; /* status log file that has its FINISHED note */
	char path[];
};
struct queue_store {
	void (*found)(const struct queue_ref *ref, int64_t next_attempt_s, void *arg);
	void *arg;
	int lock;
	struct list segments;
	struct store_segment *buckets[STORE_BUCKETS];
	size_t free_segments;
	struct status_index *index; /* what the status log said at the start */
	struct htab fresh;	    /* files of incoming that were found at the start, by ID */
	int64_t opened_ms, swept_ms;
	bool sweeping, trimming;
	struct status_writer status;
	struct list moves; /* struct store_move, not begun */
	unsigned move_jobs;
	struct list unlinks; /* struct store_unlink, not begun */
	bool unlinking;
	uint64_t unlink_floor; /* status file of the oldest unlink whose directory is not synced, 0:
				  none */
	struct htab unlink_dirs; /* those directories */
	unsigned jobs;		 /* everything in the thread pool */
	struct cond idle;	 /* woken when jobs becomes 0 */
};

/* store.c */
void store_job_start(
    struct queue_store *s, void (*run)(void *arg), void (*done)(void *arg), void *arg);
void store_job_end(struct queue_store *s); /* first thing in each done function */

/* store_segment.c */
struct store_segment *store_segment(struct queue_store *s, uint64_t number);
struct store_segment *store_segment_add(
    struct queue_store *s, uint64_t number, uint64_t generation);
/* False when the record is known. */
bool store_record_add(struct store_segment *g, uint64_t offset, bool live);
struct store_record *store_record(struct store_segment *g, uint64_t offset);
void store_record_end(struct queue_store *s, struct store_segment *g, struct store_record *r);
void store_segment_settle(
    struct queue_store *s, struct store_segment *g); /* frees it if it can be */
void store_segments_free(struct queue_store *s);
/* Takes over what a salvage found; calls found() for what was not known. */
void store_adopt(struct queue_store *s, struct salvage *v);
void store_warnings(struct buf *lines);

/* store_age.c */
void store_sweep(struct queue_store *s);
void store_check(struct queue_store *s, struct store_segment *g);
void store_segment_counted(
    struct queue_store *s, struct store_segment *g); /* CLOSED when all are known */

/* store_status.c */
void store_status_open(struct queue_store *s);
void store_status_finished(struct queue_store *s, const struct queue_ref *ref);
void store_status_forget_file(
    struct queue_store *s, const char *id); /* its notes are not needed any more */
void store_status_flush(struct queue_store *s);
bool store_status_dirty(const struct queue_store *s);
void store_status_close(struct queue_store *s);
void store_trim(struct queue_store *s); /* removes status log files that are no longer needed */

/* store_leave.c */
void store_unlink(struct queue_store *s, const struct queue_ref *ref);
void store_unlinks_start(struct queue_store *s);
void store_unlinks_free(struct queue_store *s);

/* store_move.c */
/* Around changes of one queue file in pool threads. */
void store_files_lock(void);
void store_files_unlock(void);
void store_moves_start(struct queue_store *s);

#endif
