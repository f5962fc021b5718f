/* Builds the indexed files of lmdb:, hash:, btree: and cdb:, for postmap and postalias.
 *
 * A new file is written beside the old one and renamed over it at the end, so that readers see the
 * old one or the new one. Where the directory may not be written but the file may, an LMDB file is
 * replaced inside in one transaction. Updates (keep) are one transaction in place. Nothing here
 * waits as the loop knows it; it blocks. */
#ifndef POSTERN_TABLE_MAKE_H
#define POSTERN_TABLE_MAKE_H

#include "base/err.h"
#include "base/str.h"
#include <sys/types.h>

enum make_nul { MAKE_NUL_DEFAULT, MAKE_NUL_YES, MAKE_NUL_NO };
struct make_opts {
	bool keep;	   /* update what is there; else begin with an empty file */
	enum make_nul nul; /* default: as the file has it; in a new one yes, but not in cdb: */
	mode_t mode;	   /* of a new file */
};
struct make;

/* True for types that can be built. */
bool make_supported(str type);
/* Name of the indexed file: "/x.lmdb". malloc'ed. */
char *make_path(str type, str name);
/* NULL and err. Signals that end a process are held off until make_end(). */
struct make *make_begin(str type, str name, const struct make_opts *o, struct err *err);
/* 0; 1 when the key is there and replace is not set (nothing is changed); 2 for a key that cannot
 * be stored (too long, empty); -1. */
int make_put(struct make *m, str key, str value, bool replace, struct err *err);
int make_delete(struct make *m, str key, struct err *err); /* 0, 1 not there, -1 */
/* Ends it: with commit the result is in place and on the disk when it returns 0. Frees m always. */
int make_end(struct make *m, bool commit, struct err *err);

#endif
