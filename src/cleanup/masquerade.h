/* masquerade_domains: strips sub-domains. */
#ifndef POSTERN_CLEANUP_MASQUERADE_H
#define POSTERN_CLEANUP_MASQUERADE_H

#include "cleanup/address.h"

void masquerade_setup(void);
/* Changes *address if its class, user and domain say so. */
void masquerade(enum address_class class, struct buf *address);

#endif
