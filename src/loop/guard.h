/* What ends commands with the process that started them.
 *
 * A process that is killed cannot tidy up, and then
 *  - the kernel closes its end of each pipe: a command that was reading its input takes the part
 * that it got for the whole;
 *  - nobody enforces a time limit, and the same work is begun again beside it.
 * PR_SET_PDEATHSIG helps little: it comes after the pipes are closed, reaches the command but not
 * its children, and what those had from the command's own pipes looks complete to them in turn; a
 * set-uid program loses it.
 *
 * So a process with guarded children has one more child, the guard, which does nothing but wait for
 * the end of a socket. The numbers of their process groups are in memory that both share; a child
 * puts its own there before it executes its program, and does not execute it when its parent is
 * gone by then. The guard also keeps a descriptor open for those whose input is not complete yet.
 * When the parent is gone the guard first stops all members of the groups and then kills them:
 * whoever waits for the end of its input is stopped before another's death can show it one. Then
 * the descriptors close. The user that a command runs as does not matter, the guard has the rights
 * of its parent.
 *
 * A guard that dies is replaced. When it and its parent are killed at once commands live on; they
 * see the end of a part of their input only if it was not complete yet. */
#ifndef POSTERN_LOOP_GUARD_H
#define POSTERN_LOOP_GUARD_H

#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define GUARD_SLOTS 16384 /* children that one process can have guarded */

/* A place for a new child; the guard is started when there is none. -1 and err. Fast. */
int guard_take(struct err *err);
/* Where the child has to put its number once it leads a process group. */
atomic_int *guard_place(int slot);
/* fd, which the caller keeps open meanwhile, is open in the guard too, until guard_let_go(). -1 and
 * err. Never waits. */
int guard_hold(int slot, int fd, struct err *err);
void guard_let_go(int slot); /* nothing when nothing is held */
void guard_give(int slot);   /* the child has ended; lets go */

/* For SIGCHLD: whether the guard was it; it is replaced then. */
void guard_look(void);
void guard_forget(void); /* in a forked child */

#endif
