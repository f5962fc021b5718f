/* Files of LMDB as lookup tables: lmdb: (.lmdb), hash: and btree: (.db).
 *
 * LMDB's own lock file would have to be writable by everybody, so it is not used (MDB_NOLOCK).
 * Instead the whole file is locked with fcntl(2): exclusively by whoever writes, shared by readers
 * of a file that is being changed in place. postmap replaces a file by renaming, and such files
 * need no lock. */
#ifndef POSTERN_TABLE_LMDBFILE_H
#define POSTERN_TABLE_LMDBFILE_H

#include "base/buf.h"
#include "base/err.h"
#include <lmdb.h>
#include <sys/types.h>

#define LMDB_KEY_MAX 511 /* bytes with the trailing NUL, as Debian's library is built */

struct lmdb {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader; /* reset between look-ups */
	int fd;
	bool empty; /* when it was opened */
	bool nul;   /* keys and values end in a NUL byte */
	bool writable;
};
enum { /* flags of lmdb_open */
	LMDB_WRITE = 1 << 0,
	LMDB_CREATE = 1 << 1,
	LMDB_NOSYNC = 1 << 2, /* the caller syncs */
};
/* NULL and err (code is an errno; EINVAL for a file that is not LMDB's). map_size is the least. */
struct lmdb *lmdb_open(
    const char *path, unsigned flags, mode_t mode, int64_t map_size, struct err *err);
void lmdb_close(struct lmdb *l);
/* Error of the library in words, errno kept. Returns -1. */
int lmdb_error(struct err *err, int rc, const char *doing, const char *what);
/* Locks the whole file; may block. 0 or -1 with errno. */
int lmdb_lock(struct lmdb *l, short type, bool wait);

/* 1 found, 0 not, -1. lock: others may be writing. */
int lmdb_get(
    struct lmdb *l, str key, bool lock, struct buf *value, const char *what, struct err *err);

/* The entry behind at (a key as stored; empty: the first); *at becomes its key. 1, 0 at the end,
 * -1. */
int lmdb_after(struct lmdb *l, struct buf *at, bool lock, struct buf *value, const char *what,
    struct err *err);

struct lmdb_op {
	str key, value; /* NULs are added as the file has them */
	bool del;
	int result; /* 0, 1 when del found nothing, -1 */
};
/* Doubles the map after MDB_MAP_FULL. 0, or an error of LMDB. */
int lmdb_grow(struct lmdb *l);
/* All of n changes in one transaction, synced. 0, or an error of LMDB or errno. Blocks: for
 * threads. */
int lmdb_apply(struct lmdb *l, struct lmdb_op **ops, size_t n);

#endif
