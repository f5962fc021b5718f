/* What the files of this folder share about the loaded configuration. */
#ifndef POSTERN_PARAM_CONF_H
#define POSTERN_PARAM_CONF_H

#include "base/err.h"
#include "param/maincf.h"
#include "param/scope.h"

extern struct param_scope conf_scope;
extern struct maincf conf_main; /* main.cf and overrides */

/* May this process use conf_dir(), if the environment named it? */
int conf_check_dir(struct err *err);
/* Sets every conf_override() of before in m too. */
void conf_overrides(struct maincf *m);
/* printf to the function that conf_load was given. */
void conf_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
