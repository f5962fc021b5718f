/* The envelope of a message in memory: what ENV_* records say. */
#ifndef POSTERN_QUEUE_ENVELOPE_H
#define POSTERN_QUEUE_ENVELOPE_H

#include "ipc/msg.h"

enum {				       /* ENV_MESSAGE flags */
	MESSAGE_BOUNCE = 1 << 0,       /* sender is <> */
	MESSAGE_INTERNAL = 1 << 1,     /* made by ourselves */
	MESSAGE_TRACE = 1 << 2,	       /* sendmail -v */
	MESSAGE_PROBE_REPORT = 1 << 3, /* sendmail -bv */
	MESSAGE_SMTPUTF8 = 1 << 4,     /* SENDER_SMTPUTF8, for listings */
	MESSAGE_WARNED = 1 << 5,       /* the delay warning was sent (status area) */
	MESSAGE_FORCE_EXPIRE = 1 << 6,
	MESSAGE_TRACED = 1 << 7, /* its sendmail -v report was sent (status area) */
};
enum { /* content flags */
	CONTENT_8BIT_HEADER = 1 << 0,
	CONTENT_8BIT_BODY = 1 << 1,
	CONTENT_MIME_8BIT = 1 << 2, /* declared 8BITMIME by the sender or by a MIME header */
};
struct envelope {
	struct ipc_env_message message;
	struct ipc_env_sender sender;
	struct ipc_env_attr *attrs;
	size_t nattrs, attrs_cap;
	struct ipc_env_rcpt *rcpts;
	size_t nrcpts, rcpts_cap;
	struct ipc_rcpt_status *status; /* per recipient: the newest, kind RCPT_PENDING when none */
};
/* All slices are copied into the arena. Attributes that the gateway understands are in
 * doc/internals.md ("Attributes"). */
void envelope_add_attr(
    struct envelope *e, struct arena *a, str name, str value); /* replaces one of that name */
str envelope_attr(const struct envelope *e, const char *name);
void envelope_add_rcpt(struct envelope *e, struct arena *a, const struct ipc_env_rcpt *r);
/* Records of the whole envelope, ENV_MESSAGE first; rcpt_count is filled in; statuses that are not
 * pending (env->status may be NULL) come last. */
void envelope_encode(const struct envelope *e, struct buf *out);
/* Reads them back into arena; strict. Slices point into a copy in arena. status is allocated
 * (pending). */
int envelope_decode(struct envelope *e, struct arena *a, str records, struct err *err);
/* Merges a stored status: the newest of its recipient. Copied into the arena. -1 when it names no
 * recipient. */
int envelope_merge_status(struct envelope *e, struct arena *a, const struct ipc_rcpt_status *st);

#endif
