/* Waiting for a stream's descriptor. Private to src/loop. */
#ifndef POSTERN_LOOP_POLL_H
#define POSTERN_LOOP_POLL_H

#include "loop/sched.h"
#include "loop/stream.h"

enum { WANT_READ = 1, WANT_WRITE = 2 }; /* UV_READABLE, UV_WRITABLE */
enum role { ROLE_READER, ROLE_WRITER }; /* one coroutine each */

struct stream_poll {
	uv_poll_t handle;
	struct {
		struct co *co;
		int want;
	} waiters[2];
	int armed;    /* directions the kernel is asked about */
	bool inited;  /* handle is the loop's */
	bool drained; /* the last read left nothing: wait before the next */
	bool in_full; /* the last read filled all there was room for */
	bool no_sendfile;
	int in_errno, out_errno; /* of a failed read or write: reported from then on */
	struct stream_fds *fds;	 /* stream_accept_fds() */
};

struct stream_poll *stream_poll_new(void);
void stream_poll_free(struct stream_poll *p);

/* Waits until the descriptor is ready in the wanted direction. idle: it may take long. */
enum wait stream_poll_wait(struct stream *s, enum role role, int want, int64_t deadline, bool idle);

/* n bytes of the output buffer have gone. */
void stream_sent(struct stream *s, size_t n);
/* read(2) that takes descriptors along, into s->poll->fds. */
ssize_t stream_read_fds(struct stream *s, void *p, size_t n);
void stream_fds_free(struct stream_fds *f);

#endif
