/* access(5): tables that judge clients, names and addresses. */
#ifndef POSTERN_SMTPD_ACCESS_H
#define POSTERN_SMTPD_ACCESS_H

#include "smtpd/eval.h"

/* Acts on a table's result. May wait. */
enum outcome access_act(struct eval *e, const char *table, str result, struct subject about);

/* A host name or an address that the DNS gave for what about names, in the table of r. *found:
 * there was an entry, even if it says DUNNO. OK is a configuration error. May wait. */
enum outcome access_host_name(
    struct eval *e, const struct rule *r, str host, struct subject about, bool *found);
enum outcome access_host_addr(
    struct eval *e, const struct rule *r, str addr, struct subject about, bool *found);

#endif
