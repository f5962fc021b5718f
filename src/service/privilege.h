/* What a program that keeps root for the sake of others (keep_root) gives up of it. */
#ifndef POSTERN_SERVICE_PRIVILEGE_H
#define POSTERN_SERVICE_PRIVILEGE_H

#include <linux/capability.h>

#define PRIVILEGE(capability) (1u << (capability)) /* CAP_SETUID and the like */
/* To become others; to read the queue, which is mail_owner's; to run commands as others and end
 * them. */
#define PRIVILEGES_IDS	 (PRIVILEGE(CAP_SETUID) | PRIVILEGE(CAP_SETGID))
#define PRIVILEGES_QUEUE (PRIVILEGE(CAP_DAC_OVERRIDE) | PRIVILEGE(CAP_DAC_READ_SEARCH))
#define PRIVILEGES_RUN	 (PRIVILEGES_IDS | PRIVILEGE(CAP_KILL))

/* Gives up root's groups and all its capabilities but those of the mask, whose numbers are below
 * 32; what a container lacks is not asked for. Nothing when we are not root. Fatal when it cannot
 * be done. The sandbox calls it for keep_root programs, after a chroot, before there are threads.
 */
void privilege_keep(unsigned mask);

#endif
