/* Lookup tables: "type:name", one interface for files, patterns, networks and servers.
 *
 * Types are rows of table_types in table.c. A table file that changed is seen within a second
 * (indexed files: at the next look-up after the check; texthash and patterns: reloaded; a reload
 * that fails keeps the old content and warns). Tables are opened once per process and spec and
 * shared. */
#ifndef POSTERN_TABLE_TABLE_H
#define POSTERN_TABLE_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hostaddr.h"

enum table_result { TABLE_FOUND = 0, TABLE_NONE = 1, TABLE_ERROR = -1 };

enum { /* open flags */
	TABLE_FOLD =
	    1 << 0, /* look up with the key in lower case (pattern types: by their own flags) */
	TABLE_UTF8 = 1 << 1,	  /* keys and values are UTF-8 (smtputf8_enable) */
	TABLE_NO_REGSUB = 1 << 2, /* pattern tables may not use $1 (aliases, transport security) */
	TABLE_NO_PROXY = 1 << 3,  /* security-sensitive: what is behind proxy: is opened directly */
	TABLE_WRITE = 1 << 4,	  /* may be written; a file is made when there is none */
	TABLE_QUIET = 1 << 5,	  /* table_open does not log why a table is not available */
};
struct table;
/* NULL and err only for a spec without a name. A table that cannot be opened (its type is not
 * known, its file is not there, its text is wrong) answers TABLE_ERROR to every look-up, and why is
 * logged (Postfix's way: the service starts, mail is deferred). */
struct table *table_open(str spec, unsigned flags, struct err *err);
/* Why every look-up would fail now ("open database /x.lmdb: No such file or directory"), or NULL.
 */
const char *table_unavailable(const struct table *t);
/* Whether partial keys (domain parts, user without extension) make sense: false for patterns, tcp:,
 * socketmap:. */
bool table_partial_keys(const struct table *t);
bool table_is_address(const struct table *t); /* cidr: whole addresses only */
const char *table_spec(const struct table *t);
/* value is overwritten. TABLE_ERROR fills err. May wait (network types). */
enum table_result table_get(struct table *t, str key, struct buf *value, struct err *err);
int table_put(struct table *t, str key, str value, struct err *err); /* TABLE_WRITE. May wait. */
int table_delete(struct table *t, str key, struct err *err); /* 0, 1 not there, -1. May wait. */
/* Walks all entries; first: begin again. May wait. */
enum table_result table_next(
    struct table *t, bool first, struct buf *key, struct buf *value, struct err *err);
/* Names of the supported types in alphabetical order (postconf -m), NULL at the end. */
const char *const *table_type_names(void);

/* An ordered list of tables: what a *_maps parameter holds. */
struct maps;
struct maps *maps_open(
    const char *param, const char *list, unsigned flags); /* bad specs: log_fatal naming param */
const char *maps_param(const struct maps *m);		  /* the parameter, for messages */
bool maps_empty(const struct maps *m);
void maps_close(struct maps *m); /* the tables stay open for others; NULL is allowed */
/* The first table that has the key (patterns too). */
enum table_result maps_get(struct maps *m, str key, struct buf *value, struct err *err);
/* The same, but only in tables with partial keys (skip patterns). */
enum table_result maps_get_partial(struct maps *m, str key, struct buf *value, struct err *err);
size_t maps_count(const struct maps *m);
struct table *maps_at(struct maps *m, size_t i);

#endif
