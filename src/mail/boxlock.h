/* Locks on a mailbox file, in the styles of mailbox_delivery_lock: fcntl, flock, dotlock. */
#ifndef POSTERN_MAIL_BOXLOCK_H
#define POSTERN_MAIL_BOXLOCK_H

#include "base/err.h"

struct boxlock {
	int fd;	       /* of the mailbox; the caller's */
	int folder;    /* what dotlock is relative to */
	char *dotlock; /* name of our lock file, or NULL */
};

/* The bits of a list of styles ("fcntl, dotlock"); -1 and err for an unknown one. */
int boxlock_styles(const char *list, unsigned *styles, struct err *err);

/* One attempt at all locks of these styles on the open file, whose path is relative to the open
 * folder (or AT_FDCWD). 0; 1: somebody else has one of them, err tells; -1 and err. Nothing is
 * locked then. A dotlock older than stale_lock_time is removed, for the next attempt. Does not
 * sleep. Locks are of the open file: two threads of a process keep each other out too. */
int boxlock_try(
    struct boxlock *l, int folder, const char *path, int fd, unsigned styles, struct err *err);

/* Takes all locks of styles on the open file. Tries deliver_lock_attempts times
 * with deliver_lock_delay between. -1 and err: nothing is locked. Sleeps: not on the loop (run it
 * in the thread pool). */
int boxlock_take(struct boxlock *l, const char *path, int fd, unsigned styles, struct err *err);
/* Ends them (closing the file would end all but the dotlock too). */
void boxlock_release(struct boxlock *l);

#endif
