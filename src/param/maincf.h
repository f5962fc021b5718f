/* main.cf as it stands in the file. */
#ifndef POSTERN_PARAM_MAINCF_H
#define POSTERN_PARAM_MAINCF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/htab.h"

struct maincf_entry {
	const char *value; /* unexpanded */
	int line;	   /* 0: it does not come from the file */
};
struct maincf {
	struct htab names; /* -> struct maincf_entry */
	struct arena mem;
};

/* Reads a main.cf. A name that comes again replaces the earlier value, with a warning. -1 and err
 * ("<path>, line N: ..."). warn may be NULL. */
int maincf_read(
    struct maincf *m, const char *path, void (*warn)(const char *text), struct err *err);
int maincf_parse(
    struct maincf *m, const char *path, str text, void (*warn)(const char *text), struct err *err);
void maincf_set(struct maincf *m, str name, str value, int line);
const struct maincf_entry *maincf_get(const struct maincf *m, str name); /* or NULL */
void maincf_free(struct maincf *m);

#endif
