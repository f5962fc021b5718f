/* A mailbox, and putting a message into it. */
#ifndef POSTERN_VIRTUAL_BOX_H
#define POSTERN_VIRTUAL_BOX_H

#include "ipc/deliver.h"
#include "mail/boxlock.h"
#include <sys/types.h>

struct box {
	str path;     /* below virtual_mailbox_base, without leading or final slashes */
	bool maildir; /* the table's result ended in a slash */
	uid_t uid;
	gid_t gid;
};

/* What one recipient is to get. The functions below run in the thread pool: they only read this and
 * conf. */
struct letter {
	const struct delivery *d;
	const struct delivery_rcpt *rcpt;
	const struct box *box;
	const char *base; /* virtual_mailbox_base */
	const char *full; /* base/path, for messages */
	unsigned lock;	  /* boxlock_styles() of virtual_mailbox_lock */
	struct err err;	  /* of a failure; no code means a general one */
	bool writing;	  /* it failed while the message was written */
	bool torn;	  /* and what was written could not be taken back */
};

/* Writes header lines and content, LF line ends. from_line: in the style of an mbox, with a "From "
 * line, quoted "From " lines, and an empty line at the end. have: bytes that count against
 * virtual_mailbox_limit already. -1 and l->err (EFBIG: over the limit). */
int letter_write(struct letter *l, int fd, bool from_line, uint64_t have);

/* 0: delivered and durable; -1 and l->err: nothing of it is left; 1 (mailbox_deliver only): the
 * mailbox is locked by somebody else, l->err tells how. Not on the loop. */
int maildir_deliver(struct letter *l);
int mailbox_deliver(struct letter *l);

#endif
