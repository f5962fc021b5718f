/* Rewriting of single addresses: standard form, canonical maps, masquerading. */
#ifndef POSTERN_CLEANUP_ADDRESS_H
#define POSTERN_CLEANUP_ADDRESS_H

#include "base/buf.h"
#include "cleanup/message.h"

/* Which kind an address is, as the *_classes parameters name them. */
enum address_class {
	ADDRESS_ENVELOPE_SENDER = 1 << 0,
	ADDRESS_ENVELOPE_RCPT = 1 << 1,
	ADDRESS_HEADER_SENDER = 1 << 2,
	ADDRESS_HEADER_RCPT = 1 << 3,
};

void address_setup(void);
/* Standard form of an address (internal form in and out), through the rewrite service unless it is
 * complete already. *address is replaced. -1: the service did not answer (the message is failed).
 * May wait. */
int address_complete(struct message *m, const char *context, struct buf *address);
/* Canonical maps and masquerading as the class says. -1: a table failed (the message is failed).
 * May wait. */
int address_canonical(struct message *m, enum address_class class, struct buf *address);

#endif
