/* The kernel's fences around a program that faces the network. Both are an addition to the loss of
 * privileges, so that neither is fatal where the kernel or the build lacks it. */
#ifndef POSTERN_SERVICE_SANDBOX_KERNEL_H
#define POSTERN_SERVICE_SANDBOX_KERNEL_H

#include <stdbool.h>

/* Denies (EPERM) system calls no mail server makes: running programs, tracing, mounting, loading
 * code into the kernel. After PR_SET_NO_NEW_PRIVS. */
void sandbox_seccomp(void);

/* Denies changing the file system outside of the queue, the data directory and the log's directory,
 * and running files anywhere. Reading is left to permissions: tables are where administrators put
 * them. */
void sandbox_landlock(bool chrooted);

#endif
