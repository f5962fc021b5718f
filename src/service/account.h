/* The accounts that commands of others run under: user=, as pipe(8) and spawn(8) have it. */
#ifndef POSTERN_SERVICE_ACCOUNT_H
#define POSTERN_SERVICE_ACCOUNT_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>
#include <sys/types.h>

struct account {
	char *user; /* malloc'ed */
	uid_t uid;
	gid_t gid;
};

/* "user" or "user:group", by names; "user:" is the user's own group. -1 and err: unknown, or one
 * that no command may have: root's, that of mail_owner, who owns the queue, setgid_group. Asks the
 * system's user database, which may block, and which a chroot hides: for setup. */
int account_parse(struct account *a, str text, struct err *err);
/* Whether this process can start commands for it: root for anybody, others only for themselves. */
bool account_possible(const struct account *a);

#endif
