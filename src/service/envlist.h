/* Environments made of lists like import_environment and export_environment: NAME (its present
 * value, if it has one), NAME=value, {NAME = value}. */
#ifndef POSTERN_SERVICE_ENVLIST_H
#define POSTERN_SERVICE_ENVLIST_H

#include "base/str.h"

struct envlist {
	char **v; /* "NAME=value" malloc'ed, a NULL at the end; NULL: nothing yet */
	size_t n;
};

/* Adds what a list says; a name that is there already gets the new value. */
void envlist_add(struct envlist *e, const char *list);
/* value NULL: nothing. */
void envlist_set(struct envlist *e, str name, const char *value);
void envlist_free(struct envlist *e);

/* What commands that are not ours start with: export_environment and a PATH of system folders. For
 * proc_start(); made once and kept. */
const char *const *envlist_for_commands(void);

#endif
