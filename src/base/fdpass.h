/* A packet with a descriptor beside it, over a UNIX socket that keeps packets apart. Only system
 * calls: also for a child of a process with threads. */
#ifndef POSTERN_BASE_FDPASS_H
#define POSTERN_BASE_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

/* fd -1: none. It stays the caller's. 0, or -1 with errno. May block. */
int fdpass_send(int to, const void *p, size_t n, int fd);
/* The size of the packet, at most n; 0 at the end; -1 with errno. *fd is the caller's,
 * close-on-exec, or -1. May block. */
ssize_t fdpass_receive(int from, void *p, size_t n, int *fd);

#endif
