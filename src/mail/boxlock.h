/* Locks on a mailbox file, in the styles of mailbox_delivery_lock: fcntl, flock, dotlock. */
#ifndef POSTERN_MAIL_BOXLOCK_H
#define POSTERN_MAIL_BOXLOCK_H

#include "base/err.h"

struct boxlock {
	int fd;	       /* of the mailbox; the caller's */
	char *dotlock; /* path of our lock file, or NULL */
};

/* Takes all locks of styles ("fcntl, dotlock") on the open file. Tries deliver_lock_attempts times
 * with deliver_lock_delay between; a dotlock older than stale_lock_time is removed. -1 and err:
 * nothing is locked. Sleeps: not on the loop (run it in the thread pool). */
int boxlock_take(struct boxlock *l, const char *path, int fd, const char *styles, struct err *err);
/* Ends them (closing the file would end all but the dotlock too). */
void boxlock_release(struct boxlock *l);

#endif
