/* Acting as another user on the file system.
 *
 * The worker keeps root. What it does to mailboxes it does in threads of the pool that are somebody
 * else for the kernel's file permission checks while they do it (setfsuid is per thread). For that
 * the worker keeps PRIVILEGES_IDS, and PRIVILEGES_QUEUE to read the queue; other powers of root,
 * such as writing past a quota, it gives up (service/privilege.h). */
#ifndef POSTERN_MAILBOX_BECOME_H
#define POSTERN_MAILBOX_BECOME_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

void become_setup(void);
/* Whether become_user() can do it: any user for root; nobody but ourselves otherwise. Any thread.
 */
bool become_possible(uid_t uid, gid_t gid);
/* The calling thread opens, makes and removes files as this user until become_self(). -1 and err.
 */
int become_user(uid_t uid, gid_t gid, struct err *err);
void become_self(void); /* cannot fail: a thread that stays somebody else ends the process */

#endif
