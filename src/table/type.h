/* Inside the tables: what a type of table must bring. One file per type; the rows are in types.tbl.
 */
#ifndef POSTERN_TABLE_TYPE_H
#define POSTERN_TABLE_TYPE_H

#include "base/htab.h"
#include "table/table.h"
#include <sys/types.h>
#include <time.h>

enum {				/* traits */
	TRAIT_PARTIAL = 1 << 0, /* domains, users without extension... are worth asking for */
	TRAIT_FOLD = 1 << 1,	/* keys are fixed strings: TABLE_FOLD applies */
	TRAIT_ADDRESS = 1 << 2, /* keys are IP addresses */
};

/* What tells that a file was replaced or written. */
struct table_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct table_type {
	const char *name;
	unsigned traits;
	/* Opens the table (t->name) and returns its content, which becomes t->impl; a type whose
	 * content is a file sets t->path, and is asked again when that file changed. NULL and err:
	 * with an errno in err->code the table is not available now, without the spec is wrong. */
	void *(*load)(struct table *t, struct err *err);
	void (*unload)(void *impl);
	enum table_result (*get)(struct table *t, str key, struct buf *value, struct err *err);
	/* These may be NULL. */
	int (*put)(struct table *t, str key, str value, struct err *err);
	int (*del)(struct table *t, str key, struct err *err);
	enum table_result (*next)(
	    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err);
};

struct table {
	const struct table_type *type;
	char *spec;	  /* "lmdb:/etc/postern/access" */
	const char *name; /* its part behind the type */
	unsigned flags, traits;
	void *impl; /* NULL: not available, and why says why */
	char *why;
	char *path;	    /* the file that is watched, or NULL */
	int64_t check_at;   /* monotonic microseconds: when to look at it again */
	int64_t busy_until; /* the file was changed a moment ago and may be again */
	struct table_stamp stamp;
	struct buf seq; /* table_next: where it is, as the type likes */
};

#define TYPE(name, symbol) extern const struct table_type table_type_##symbol;
#include "table/types.tbl"
#undef TYPE

/* The row of a type, or NULL. */
const struct table_type *table_type_find(str name);
/* Cuts "type:name" in two; -1 and err when it has no such form. */
int table_spec_split(str spec, str *type, str *name, struct err *err);
/* Sets t->path (a copy) unless it is set. */
void table_watch(struct table *t, const char *path);
bool table_stamp_get(const char *path, struct table_stamp *st);

/* Lower case, as keys of tables have it; with utf8 beyond ASCII too. */
void table_fold(struct buf *out, str key, bool utf8);
bool table_utf8_valid(str s);
/* Appends text that is no UTF-8 for a message: a "?" for each byte that cannot be shown. */
void table_show_bytes(struct buf *out, str s);

/* The inside of "{ text }", trimmed; -1 and err when the braces do not enclose all of s. */
int table_braces(str s, str *inner, struct err *err);

/* Entries in memory, for texthash, inline and internal. Values are struct table_entry. */
struct table_entry {
	size_t n;
	char value[];
};
struct table_mem {
	struct htab tab;
	struct htab_entry *at;	  /* table_next: the entry it gave last */
	struct htab_entry *ahead; /* jump: that one was deleted, and this one follows */
	bool jump;
};
/* False: the key is there already, and nothing is changed unless replace. */
bool table_mem_put(struct table_mem *m, str key, str value, bool replace);
bool table_mem_del(struct table_mem *m, str key); /* false: it was not there */
enum table_result table_mem_get(struct table *t, str key, struct buf *value, struct err *err);
enum table_result table_mem_next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err);
void table_mem_free(void *mem);

#endif
