/* Which names are referred to, and by whom. */
#ifndef POSTERN_CMD_POSTCONF_USED_H
#define POSTERN_CMD_POSTCONF_USED_H

#include "param/param.h"
#include "pc.h"

/* Calls add for every name of main.cf that is no parameter of ours but in use. */
void pc_collect_users(void (*add)(const char *name));
bool pc_is_referenced(str name); /* by main.cf or by a default */
void pc_refer_options(struct htab *to, const struct pc_service *s);
/* Finds "ldap:name" and the like in a value: then name_server_host and so on are parameters. */
void pc_find_clients(struct htab *to, const char *value);
/* Warns of names that mean nothing in the file of "ldap:/file" and the like; each file once. */
void pc_check_clients(struct htab *seen, const char *value);
void pc_find_option_clients(struct htab *to, const struct pc_service *s);
/* Looks up what the value of a parameter refers to. Bad syntax is warned of; it is fatal in a
 * parameter that somebody uses. */
void pc_scan(str name, str text, expand_look look, void *ctx);
bool pc_is_raw(str name); /* a parameter whose $names are no parameters */
/* "name=value" behind -o; false for other arguments. */
bool pc_option_split(const struct pc_arg *a, str *name, const char **value);

#endif
