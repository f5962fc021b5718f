/* Which names are referred to, and by whom. */
#ifndef POSTERN_CMD_POSTCONF_USED_H
#define POSTERN_CMD_POSTCONF_USED_H

#include "param/param.h"
#include "pc.h"

/* Calls add for every name of main.cf that is no parameter of ours but in use. */
void pc_collect_users(void (*add)(const char *name));
bool pc_is_referenced(str name); /* by main.cf or by a default */
void pc_refer_options(struct htab *to, const struct pc_service *s);
void pc_find_clients(struct htab *to, const char *value);
void pc_find_option_clients(struct htab *to, const struct pc_service *s);
void pc_scan(str text, expand_look look, void *ctx); /* fatal for bad syntax */
bool pc_is_raw(str name); /* a parameter whose $names are no parameters */
/* "name=value" behind -o; false for other arguments. */
bool pc_option_split(const struct pc_arg *a, str *name, const char **value);

#endif
