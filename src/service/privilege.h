/* What a program that keeps root for the sake of others (keep_root) gives up of it. */
#ifndef POSTERN_SERVICE_PRIVILEGE_H
#define POSTERN_SERVICE_PRIVILEGE_H

#include <linux/capability.h>

#define PRIVILEGE(capability) (1u << (capability)) /* CAP_SETUID and the like */

/* Gives up root's groups and all its capabilities but those of the mask, whose numbers are below
 * 32; what a container lacks is not asked for. Nothing when we are not root. Fatal when it cannot
 * be done. At setup, before there are threads. */
void privilege_keep(unsigned mask);

#endif
