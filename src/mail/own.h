/* Addresses and domains that are ours: inet_interfaces, proxy_interfaces, mydestination. */
#ifndef POSTERN_MAIL_OWN_H
#define POSTERN_MAIL_OWN_H

#include "base/hostaddr.h"
#include "table/table.h"

/* Reads the interfaces, resolves names of main.cf, opens tables: for setup, where one may block and
 * still has the rights. Without it the first question does so. */
void own_setup(void);

/* Whether a is an address that this system receives mail on (port ignored). Reads the interfaces
 * once. */
bool own_address(const struct hostaddr *a);
/* The same for proxy_interfaces only. */
bool own_proxy_address(const struct hostaddr *a);
/* Whether a domain is local: in mydestination, or a literal [address] of ours. May wait. */
enum table_result own_domain(str domain, struct err *err);

#endif
