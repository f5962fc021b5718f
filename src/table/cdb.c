/* cdb: constant databases (tinycdb), read only; postmap replaces the whole file. */
#include "base/mem.h"
#include "log/log.h"
#include "table/type.h"
#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct cdb_table {
	struct cdb cdb;
	bool nul; /* keys and values end in a NUL byte */
};

static void unload(void *impl)
{
	struct cdb_table *ct = impl;
	int fd = cdb_fileno(&ct->cdb);

	cdb_free(&ct->cdb);
	close(fd);
	free(ct);
}

/* Whether keys end in NULs is seen from the first entry. */
static void look(struct cdb_table *ct)
{
	const char *p;
	unsigned at;

	cdb_seqinit(&at, &ct->cdb);
	if (cdb_seqnext(&at, &ct->cdb) > 0 && cdb_keylen(&ct->cdb) > 0) {
		p = cdb_getkey(&ct->cdb);
		ct->nul = p && p[cdb_keylen(&ct->cdb) - 1] == '\0';
	}
}

static void *load(struct table *t, struct err *err)
{
	struct cdb_table *ct;
	struct table_stamp source;
	struct buf path = {0};
	struct stat st;
	int fd;

	buf_printf(&path, "%s.cdb", t->name);
	table_watch(t, buf_text(&path));
	buf_free(&path);
	fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err_errno(err, errno, "open database %s", t->path);
		return NULL;
	}
	ct = mem_zero(sizeof(*ct));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || cdb_init(&ct->cdb, fd) != 0) {
		err_set(err, "open database %s: not a complete cdb file", t->path);
		if (err)
			err->code = EINVAL;
		close(fd);
		free(ct);
		return NULL;
	}
	look(ct);
	if (table_stamp_get(t->name, &source) && source.mtime.tv_sec > st.st_mtim.tv_sec)
		log_warn("database %s is older than source file %s", t->path, t->name);
	return ct;
}

static void add_text(const struct cdb_table *ct, const char *p, unsigned n, struct buf *out)
{
	if (ct->nul && n && p[n - 1] == '\0')
		n--;
	buf_add(out, p, n);
}

static enum table_result damaged(struct table *t, struct err *err)
{
	err_set(err, "%s: damaged file", t->path);
	return TABLE_ERROR;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct cdb_table *ct = t->impl;
	struct buf with_nul = {0};
	const char *p;
	int r;

	if (ct->nul) {
		buf_str(&with_nul, key);
		buf_char(&with_nul, '\0');
		key = buf_view(&with_nul);
	}
	r = key.n > UINT32_MAX ? 0 : cdb_find(&ct->cdb, key.p, (unsigned)key.n);
	buf_free(&with_nul);
	if (r == 0)
		return TABLE_NONE;
	p = r > 0 ? cdb_getdata(&ct->cdb) : NULL;
	if (!p)
		return damaged(t, err);
	add_text(ct, p, cdb_datalen(&ct->cdb), value);
	return TABLE_FOUND;
}

static enum table_result next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err)
{
	struct cdb_table *ct = t->impl;
	const char *k, *v;
	unsigned at;
	int r;

	if (first || t->seq.n != sizeof(at))
		cdb_seqinit(&at, &ct->cdb);
	else
		memcpy(&at, t->seq.p, sizeof(at));
	r = cdb_seqnext(&at, &ct->cdb);
	if (r == 0)
		return TABLE_NONE;
	k = r > 0 ? cdb_getkey(&ct->cdb) : NULL;
	v = k ? cdb_getdata(&ct->cdb) : NULL;
	if (!v)
		return damaged(t, err);
	buf_clear(&t->seq);
	buf_add(&t->seq, &at, sizeof(at));
	add_text(ct, k, cdb_keylen(&ct->cdb), key);
	add_text(ct, v, cdb_datalen(&ct->cdb), value);
	return TABLE_FOUND;
}

const struct table_type table_type_cdb = {
    .name = "cdb",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = unload,
    .get = get,
    .next = next,
};
