/* Opening folders below a base, one component after the other.
 *
 * Symbolic links: one that belongs to root is the administrator's word and is followed. Another one
 * is followed only to a place below the base. Runs in the thread pool, as the user. */
#ifndef POSTERN_MAILBOX_FOLDER_H
#define POSTERN_MAILBOX_FOLDER_H

#include "base/err.h"
#include "base/str.h"
#include <stdbool.h>

/* The folder base/path, as a descriptor to look up and make names in (not for reading). create:
 * missing ones below the base are made with mode 0700 and synced; *created (may be NULL) is set
 * when the last one was. ".." is refused. -1 and err. The caller closes. */
int folder_open(const char *base, str path, bool create, bool *created, struct err *err);
/* Makes the names of a folder durable. file: a descriptor on the same file system, for a folder
 * that the user may not read. */
int folder_sync(int folder, int file, struct err *err);

/* Cuts the last name off a path without a final slash: "a/b/c" is "a/b" and "c". */
void folder_split(str path, str *folder, str *name);

#endif
