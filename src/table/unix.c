/* unix:passwd.byname, unix:group.byname: the system's accounts. Their back ends may be slow (LDAP),
 * so they are asked in the thread pool. */
#include "base/mem.h"
#include "loop/co.h"
#include "loop/work.h"
#include "table/type.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#define ENTRY_MAX (1024 * 1024)

struct question {
	bool group;
	char *key;
	struct buf *value;
	int code; /* 0 found, ENOENT, or what went wrong */
};

static bool no_such(int code)
{
	return code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM;
}

static void print_group(struct question *q, const struct group *g)
{
	buf_printf(q->value, "%s:%s:%lu:", g->gr_name, g->gr_passwd, (unsigned long)g->gr_gid);
	for (char **m = g->gr_mem; *m; m++)
		buf_printf(q->value, "%s%s", m == g->gr_mem ? "" : ",", *m);
}

static void print_user(struct question *q, const struct passwd *p)
{
	buf_printf(q->value, "%s:%s:%lu:%lu:%s:%s:%s", p->pw_name, p->pw_passwd,
	    (unsigned long)p->pw_uid, (unsigned long)p->pw_gid, p->pw_gecos, p->pw_dir,
	    p->pw_shell);
}

static void ask(void *arg)
{
	struct question *q = arg;
	size_t n = 4096;
	char *room = NULL;

	do {
		struct passwd pw, *p = NULL;
		struct group gr, *g = NULL;

		room = mem_realloc(room, n);
		q->code = q->group ? getgrnam_r(q->key, &gr, room, n, &g)
				   : getpwnam_r(q->key, &pw, room, n, &p);
		n *= 2;
		if (g)
			print_group(q, g);
		else if (p)
			print_user(q, p);
		else if (no_such(q->code))
			q->code = ENOENT;
	} while (q->code == ERANGE && n <= ENTRY_MAX);
	free(room);
}

static void *load(struct table *t, struct err *err)
{
	if (strcmp(t->name, "passwd.byname") != 0 && strcmp(t->name, "group.byname") != 0) {
		err_set(err, "unknown table: %s", t->spec);
		return NULL;
	}
	return t;
}

static void unload(void *impl)
{
	(void)impl;
}

static enum table_result get(struct table *t, str key, struct buf *value, struct err *err)
{
	struct question q = {.group = t->name[0] == 'g', .value = value};

	if (memchr(key.p, '\0', key.n) || key.n == 0)
		return TABLE_NONE;
	q.key = str_dup(key);
	if (co_self())
		work_run(ask, &q);
	else
		ask(&q);
	free(q.key);
	if (q.code == 0)
		return TABLE_FOUND;
	if (q.code == ENOENT)
		return TABLE_NONE;
	err_errno(err, q.code, "%s", q.group ? "getgrnam_r" : "getpwnam_r");
	return TABLE_ERROR;
}

const struct table_type table_type_unix = {
    .name = "unix",
    .traits = TRAIT_PARTIAL | TRAIT_FOLD,
    .load = load,
    .unload = unload,
    .get = get,
};
