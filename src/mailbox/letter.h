/* Delivery into mailbox files (mbox) and maildirs, as the user that they belong to. */
#ifndef POSTERN_MAILBOX_LETTER_H
#define POSTERN_MAILBOX_LETTER_H

#include "ipc/deliver.h"
#include "mail/boxlock.h"
#include <sys/types.h>

/* What one recipient is to get, and where. The thread pool reads this and conf. */
struct letter {
	const struct delivery *d;
	const struct delivery_rcpt *rcpt;
	const char *base; /* a folder whose place is not in doubt */
	str path;	  /* below it, without leading or final slashes */
	const char *full; /* base/path, for messages */
	bool maildir;
	uid_t uid;
	gid_t gid;
	unsigned lock;	/* boxlock_styles() of a mailbox file */
	uint64_t limit; /* largest mailbox file, or file of a maildir; 0: none */
	struct err err; /* of a failure; no code means a general one */
	bool writing;	/* it failed while the message was written */
	bool torn;	/* and what was written could not be taken back */
};
/* 0: delivered and durable; -1 and l->err: nothing of it is left (but for l->torn). Waits its turn
 * at a mailbox file that others are delivering to, and for its locks, deliver_lock_attempts times
 * deliver_lock_delay. May wait. */
int letter_deliver(struct letter *l);

/* --- inside src/mailbox, not on the loop */

/* Writes header lines and content, LF line ends. mbox: with a "From " line, quoted "From " lines,
 * and an empty line at the end. have: bytes that count against the limit already. -1 and l->err
 * (EFBIG: over the limit). */
int letter_write(struct letter *l, int fd, bool mbox, uint64_t have);
/* Like letter_deliver(); 1 (mbox_deliver only): the mailbox is locked by somebody else, l->err
 * tells how. */
int maildir_deliver(struct letter *l);
int mbox_deliver(struct letter *l);

#endif
