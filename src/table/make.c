#include "table/make.h"
#include "base/mem.h"
#include "param/param.h"
#include "table/lmdbfile.h"
#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct make {
	char *path, *temp; /* temp: NULL when the file itself is changed */
	struct make_opts o;
	bool is_cdb, nul, held;
	int fd; /* cdb */
	struct cdb_make cdb;
	struct lmdb *l;
	MDB_txn *txn;
	sigset_t signals; /* as they were */
};

static const struct {
	const char *type, *suffix;
} kinds[] = {
    {"lmdb", ".lmdb"},
    {"hash", ".db"},
    {"btree", ".db"},
    {"cdb", ".cdb"},
};

static const char *suffix_of(str type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(type, str_of(kinds[i].type)))
			return kinds[i].suffix;
	return NULL;
}

bool make_supported(str type)
{
	return suffix_of(type) != NULL;
}

char *make_path(str type, str name)
{
	const char *suffix = suffix_of(type);
	struct buf b = {0};

	buf_str(&b, name);
	buf_cstr(&b, suffix ? suffix : "");
	return b.p;
}

static void hold_signals(struct make *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	m->held = sigprocmask(SIG_BLOCK, &set, &m->signals) == 0;
}

static void free_make(struct make *m)
{
	if (m->txn)
		mdb_txn_abort(m->txn);
	if (m->l)
		lmdb_close(m->l);
	if (m->fd >= 0)
		close(m->fd);
	if (m->temp)
		unlink(m->temp);
	if (m->held)
		sigprocmask(SIG_SETMASK, &m->signals, NULL);
	free(m->temp);
	free(m->path);
	free(m);
}

/* A file of our own beside path. -1 with errno. */
static int make_temp(struct make *m)
{
	struct buf name = {0};
	int fd;

	buf_printf(&name, "%s.XXXXXX", m->path);
	fd = mkstemp(name.p);
	if (fd < 0) {
		int e = errno;

		buf_free(&name);
		errno = e;
		return -1;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	m->temp = name.p;
	return fd;
}

/* Mode and owner: those of the file that is replaced, else the given mode. */
static int set_access(struct make *m, int fd)
{
	struct stat st;

	if (stat(m->path, &st) != 0)
		return fchmod(fd, m->o.mode);
	if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		return -1;
	return fchmod(fd, st.st_mode & 07777);
}

static int open_lmdb(struct make *m, struct err *err)
{
	const char *path = m->temp ? m->temp : m->path;
	/* A temporary file is synced once at its end, not at each commit. */
	unsigned flags = LMDB_WRITE | (m->temp ? LMDB_NOSYNC : 0) | (m->o.keep ? LMDB_CREATE : 0);
	int rc;

	m->l = lmdb_open(path, flags, m->o.mode, conf.lmdb_map_size, err);
	if (!m->l)
		return -1;
	if (lmdb_lock(m->l, F_WRLCK, true) != 0)
		return err_errno(err, errno, "lock %s", path);
	rc = mdb_txn_begin(m->l->env, NULL, 0, &m->txn);
	if (rc == 0 && !m->temp && !m->o.keep)
		rc = mdb_drop(m->txn, m->l->dbi, 0);
	if (rc != 0)
		return lmdb_error(err, rc, "updating", path);
	if (m->o.nul == MAKE_NUL_DEFAULT && m->o.keep && !m->l->empty)
		m->nul = m->l->nul;
	else
		m->nul = m->o.nul != MAKE_NUL_NO;
	m->l->nul = m->nul;
	return 0;
}

static int begin_lmdb(struct make *m, struct err *err)
{
	struct stat st;
	int fd;

	if (!m->o.keep) {
		fd = make_temp(m);
		if (fd >= 0) {
			close(fd);
			unlink(m->temp); /* LMDB wants to begin it */
			fd = open(m->temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
			if (fd >= 0)
				close(fd);
		} else if (access(m->path, W_OK) != 0 || stat(m->path, &st) != 0) {
			return err_errno(
			    err, errno == ENOENT ? EACCES : errno, "create %s", m->path);
		}
	}
	return open_lmdb(m, err);
}

static int begin_cdb(struct make *m, struct err *err)
{
	if (m->o.keep)
		return err_set(err, "cdb files cannot be updated in place: %s", m->path);
	m->fd = make_temp(m);
	if (m->fd < 0)
		return err_errno(err, errno, "create %s", m->path);
	m->nul = m->o.nul == MAKE_NUL_YES;
	if (cdb_make_start(&m->cdb, m->fd) != 0)
		return err_errno(err, errno, "write %s", m->temp);
	return 0;
}

struct make *make_begin(str type, str name, const struct make_opts *o, struct err *err)
{
	struct make *m = mem_zero(sizeof(*m));

	m->path = make_path(type, name);
	m->o = *o;
	m->fd = -1;
	m->is_cdb = str_eq(type, STR("cdb"));
	hold_signals(m);
	if ((m->is_cdb ? begin_cdb(m, err) : begin_lmdb(m, err)) == 0)
		return m;
	free_make(m);
	return NULL;
}

static int put_cdb(struct make *m, str key, str value, bool replace, struct err *err)
{
	int r = cdb_make_put(&m->cdb, key.p, (unsigned)key.n, value.p, (unsigned)value.n,
	    replace ? CDB_PUT_REPLACE : CDB_PUT_INSERT);

	if (r < 0)
		return err_errno(err, errno, "write %s", m->temp);
	return r > 0 && !replace;
}

static int put_lmdb(struct make *m, str key, str value, bool replace, struct err *err)
{
	MDB_val k = {key.n, (void *)key.p}, v = {value.n, (void *)value.p};
	int rc;

	if (key.n > LMDB_KEY_MAX || key.n == 0)
		return 2;
	rc = mdb_put(m->txn, m->l->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST)
		return 1;
	return rc == 0 ? 0 : lmdb_error(err, rc, "updating", m->path);
}

int make_put(struct make *m, str key, str value, bool replace, struct err *err)
{
	struct buf k = {0}, v = {0};
	int r;

	if (m->nul) {
		buf_str(&k, key);
		buf_char(&k, '\0');
		buf_str(&v, value);
		buf_char(&v, '\0');
		key = buf_view(&k);
		value = buf_view(&v);
	}
	if (m->is_cdb)
		r = put_cdb(m, key, value, replace, err);
	else
		r = put_lmdb(m, key, value, replace, err);
	buf_free(&k);
	buf_free(&v);
	return r;
}

int make_delete(struct make *m, str key, struct err *err)
{
	struct buf k = {0};
	MDB_val val;
	int rc = MDB_NOTFOUND;

	buf_str(&k, key);
	if (m->nul)
		buf_char(&k, '\0');
	if (k.n && k.n <= LMDB_KEY_MAX) {
		val = (MDB_val){k.n, k.p};
		rc = mdb_del(m->txn, m->l->dbi, &val, NULL);
	}
	buf_free(&k);
	if (rc == MDB_NOTFOUND)
		return 1;
	return rc == 0 ? 0 : lmdb_error(err, rc, "deleting from", m->path);
}

static int finish_lmdb(struct make *m, struct err *err)
{
	int rc = mdb_txn_commit(m->txn);

	m->txn = NULL;
	if (rc == 0)
		rc = mdb_env_sync(m->l->env, 1);
	if (rc != 0)
		return lmdb_error(err, rc, "updating", m->path);
	if (m->temp && set_access(m, m->l->fd) != 0)
		return err_errno(err, errno, "set owner and mode of %s", m->temp);
	return 0;
}

static int finish_cdb(struct make *m, struct err *err)
{
	if (cdb_make_finish(&m->cdb) != 0 || fsync(m->fd) != 0)
		return err_errno(err, errno, "write %s", m->temp);
	if (set_access(m, m->fd) != 0)
		return err_errno(err, errno, "set owner and mode of %s", m->temp);
	return 0;
}

static int install(struct make *m, struct err *err)
{
	struct buf dir = {0};
	int fd, r = 0;

	if (!m->temp)
		return 0;
	if (rename(m->temp, m->path) != 0)
		return err_errno(err, errno, "rename %s to %s", m->temp, m->path);
	free(m->temp);
	m->temp = NULL;
	buf_cstr(&dir, m->path);
	fd = open(dirname(dir.p), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		r = fsync(fd);
		close(fd);
	}
	buf_free(&dir);
	return r == 0 ? 0 : err_errno(err, errno, "sync the directory of %s", m->path);
}

int make_end(struct make *m, bool commit, struct err *err)
{
	int r = 0;

	if (commit)
		r = m->is_cdb ? finish_cdb(m, err) : finish_lmdb(m, err);
	if (commit && r == 0)
		r = install(m, err);
	free_make(m);
	return r;
}
