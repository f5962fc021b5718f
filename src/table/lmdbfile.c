#include "table/lmdbfile.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int lmdb_error(struct err *err, int rc, const char *doing, const char *what)
{
	err_set(err, "error %s %s: %s", doing, what, mdb_strerror(rc));
	if (err)
		err->code = rc > 0 ? rc : EINVAL;
	return -1;
}

int lmdb_lock(struct lmdb *l, short type, bool wait)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET};
	int r;

	do
		r = fcntl(l->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl);
	while (r != 0 && errno == EINTR && wait);
	return r;
}

void lmdb_close(struct lmdb *l)
{
	if (l->reader)
		mdb_txn_abort(l->reader);
	if (l->env)
		mdb_env_close(l->env);
	free(l);
}

/* A mapping beyond the end of a cut-off file would be a crash at the first look at it. */
static int check_size(struct lmdb *l, const struct stat *st)
{
	MDB_envinfo info;
	MDB_stat ms;
	int rc = mdb_env_info(l->env, &info);

	if (rc == 0)
		rc = mdb_env_stat(l->env, &ms);
	if (rc == 0 && ((uint64_t)info.me_last_pgno + 1) * ms.ms_psize > (uint64_t)st->st_size)
		rc = MDB_CORRUPTED;
	return rc;
}

/* Whether keys end in NULs is seen from the first entry. */
static int look(struct lmdb *l)
{
	MDB_cursor *c;
	MDB_val k, v;
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, l->writable ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &l->dbi);
	if (rc == 0)
		rc = mdb_cursor_open(txn, l->dbi, &c);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	l->empty = mdb_cursor_get(c, &k, &v, MDB_FIRST) != 0;
	if (!l->empty && k.mv_size > 0)
		l->nul = ((const char *)k.mv_data)[k.mv_size - 1] == '\0';
	mdb_cursor_close(c);
	return mdb_txn_commit(txn); /* the dbi is made with it */
}

static int open_env(struct lmdb *l, const char *path, unsigned flags, mode_t mode, size_t size)
{
	unsigned f = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS;
	int rc = mdb_env_create(&l->env);

	if (!(flags & LMDB_WRITE))
		f |= MDB_RDONLY;
	if (flags & LMDB_NOSYNC)
		f |= MDB_NOSYNC;
	if (rc == 0)
		rc = mdb_env_set_mapsize(l->env, size);
	if (rc == 0)
		rc = mdb_env_open(l->env, path, f, mode);
	if (rc != 0) {
		mdb_env_close(l->env);
		l->env = NULL;
	}
	return rc;
}

/* Address space costs nothing; running out of it costs a transaction. Where the process may not
 * have so much, what the file needs must do. */
static int open_sized(struct lmdb *l, const char *path, unsigned flags, mode_t mode, int64_t least,
    const struct stat *st)
{
	size_t need = (size_t)st->st_size * 4 + (1 << 20), want;
	int rc;

	if ((size_t)least > need)
		need = (size_t)least;
	want = need;
	if (sizeof(void *) > 4 && want < ((size_t)16 << 30))
		want = flags & LMDB_WRITE	? (size_t)16 << 30
		       : (size_t)1 << 30 > need ? (size_t)1 << 30
						: need;
	rc = open_env(l, path, flags, mode, want);
	if (rc == ENOMEM && want > need)
		rc = open_env(l, path, flags, mode, need);
	return rc;
}

struct lmdb *lmdb_open(
    const char *path, unsigned flags, mode_t mode, int64_t map_size, struct err *err)
{
	struct lmdb *l;
	struct stat st = {0};
	int rc;

	if (stat(path, &st) != 0 && !(flags & LMDB_CREATE)) {
		err_errno(err, errno, "open database %s", path);
		return NULL;
	}
	if (st.st_mode && !S_ISREG(st.st_mode)) {
		err_errno(err, EINVAL, "open database %s", path);
		return NULL;
	}
	l = mem_zero(sizeof(*l));
	l->writable = flags & LMDB_WRITE;
	rc = open_sized(l, path, flags, mode, map_size, &st);
	if (rc == 0)
		rc = mdb_env_get_fd(l->env, &l->fd);
	if (rc == 0)
		(void)fcntl(l->fd, F_SETFD, FD_CLOEXEC);
	if (rc == 0 && l->writable && (lmdb_lock(l, F_WRLCK, true) != 0))
		rc = errno;
	if (rc == 0 && fstat(l->fd, &st) == 0)
		rc = check_size(l, &st);
	if (rc == 0)
		rc = look(l);
	if (rc == 0 && l->writable)
		(void)lmdb_lock(l, F_UNLCK, false);
	if (rc == 0)
		return l;
	if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH || rc == MDB_CORRUPTED ||
	    (rc == ENOENT && st.st_mode)) {
		err_set(err,
		    "open database %s: not a complete LMDB file; build it again from its source "
		    "with postmap or postalias",
		    path);
		if (err)
			err->code = EINVAL;
	} else if (rc > 0) {
		err_errno(err, rc, "open database %s", path);
	} else {
		lmdb_error(err, rc, "opening", path);
	}
	lmdb_close(l);
	return NULL;
}

static int begin_read(struct lmdb *l)
{
	int rc;

	if (l->reader) {
		rc = mdb_txn_renew(l->reader);
	} else {
		rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->reader);
		if (rc != 0)
			l->reader = NULL;
	}
	return rc;
}

/* Begins to read; a file that grew beyond our map is mapped anew. */
static int begin(struct lmdb *l)
{
	int rc = begin_read(l);

	if (rc == MDB_MAP_RESIZED) {
		rc = mdb_env_set_mapsize(l->env, 0);
		if (rc == 0)
			rc = begin_read(l);
	}
	return rc;
}

int lmdb_grow(struct lmdb *l)
{
	MDB_envinfo info;
	int rc = mdb_env_info(l->env, &info);

	return rc ? rc : mdb_env_set_mapsize(l->env, info.me_mapsize * 2);
}

static void add_value(struct lmdb *l, const MDB_val *v, struct buf *value)
{
	size_t n = v->mv_size;

	if (l->nul && n && ((const char *)v->mv_data)[n - 1] == '\0')
		n--;
	buf_add(value, v->mv_data, n);
}

int lmdb_get(
    struct lmdb *l, str key, bool lock, struct buf *value, const char *what, struct err *err)
{
	char room[LMDB_KEY_MAX + 1];
	MDB_val k = {key.n, (void *)key.p}, v;
	int rc;

	if (l->nul) {
		if (key.n >= LMDB_KEY_MAX)
			return 0;
		memcpy(room, key.p, key.n);
		room[key.n] = '\0';
		k = (MDB_val){key.n + 1, room};
	}
	if (k.mv_size == 0 || k.mv_size > LMDB_KEY_MAX)
		return 0;
	/* Who cannot have the lock at once reads all the same: what a writer is about to commit is
	 * not in our snapshot, and the one after it has not begun. */
	lock = lock && lmdb_lock(l, F_RDLCK, false) == 0;
	rc = begin(l);
	if (rc == 0) {
		rc = mdb_get(l->reader, l->dbi, &k, &v);
		if (rc == 0)
			add_value(l, &v, value);
		mdb_txn_reset(l->reader);
	}
	if (lock)
		(void)lmdb_lock(l, F_UNLCK, false);
	if (rc == 0)
		return 1;
	return rc == MDB_NOTFOUND ? 0 : lmdb_error(err, rc, "reading", what);
}

/* The first entry whose key is greater than at. */
static int seek_after(MDB_cursor *c, const struct buf *at, MDB_val *k, MDB_val *v)
{
	int rc;

	if (at->n == 0)
		return mdb_cursor_get(c, k, v, MDB_FIRST);
	*k = (MDB_val){at->n, at->p};
	rc = mdb_cursor_get(c, k, v, MDB_SET_RANGE);
	if (rc == 0 && k->mv_size == at->n && memcmp(k->mv_data, at->p, at->n) == 0)
		rc = mdb_cursor_get(c, k, v, MDB_NEXT);
	return rc;
}

int lmdb_after(
    struct lmdb *l, struct buf *at, bool lock, struct buf *value, const char *what, struct err *err)
{
	MDB_cursor *c = NULL;
	MDB_val k, v;
	int rc;

	lock = lock && lmdb_lock(l, F_RDLCK, false) == 0;
	rc = begin(l);
	if (rc == 0) {
		rc = mdb_cursor_open(l->reader, l->dbi, &c);
		if (rc == 0)
			rc = seek_after(c, at, &k, &v);
		if (rc == 0) {
			buf_clear(at);
			buf_add(at, k.mv_data, k.mv_size);
			add_value(l, &v, value);
		}
		if (c)
			mdb_cursor_close(c);
		mdb_txn_reset(l->reader);
	}
	if (lock)
		(void)lmdb_lock(l, F_UNLCK, false);
	if (rc == 0)
		return 1;
	return rc == MDB_NOTFOUND ? 0 : lmdb_error(err, rc, "reading", what);
}

static int apply_one(struct lmdb *l, MDB_txn *txn, struct lmdb_op *op)
{
	struct buf kb = {0}, vb = {0};
	MDB_val k, v;
	int rc;

	buf_str(&kb, op->key);
	buf_str(&vb, op->value);
	k = (MDB_val){kb.n + l->nul, (void *)buf_text(&kb)};
	v = (MDB_val){vb.n + l->nul, (void *)buf_text(&vb)};
	op->result = 0;
	if (k.mv_size == 0 || k.mv_size > LMDB_KEY_MAX) {
		op->result = op->del ? 1 : -1;
		rc = 0;
	} else if (op->del) {
		rc = mdb_del(txn, l->dbi, &k, NULL);
		if (rc == MDB_NOTFOUND) {
			op->result = 1;
			rc = 0;
		}
	} else {
		rc = mdb_put(txn, l->dbi, &k, &v, 0);
	}
	buf_free(&kb);
	buf_free(&vb);
	return rc;
}

int lmdb_apply(struct lmdb *l, struct lmdb_op **ops, size_t n)
{
	MDB_txn *txn;
	int rc;

	if (lmdb_lock(l, F_WRLCK, true) != 0)
		return errno;
	rc = mdb_txn_begin(l->env, NULL, 0, &txn);
	if (rc == 0) {
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = apply_one(l, txn, ops[i]);
		if (rc == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	(void)lmdb_lock(l, F_UNLCK, false);
	return rc;
}
