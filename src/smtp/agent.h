/* The SMTP/LMTP client as a delivery agent. */
#ifndef POSTERN_SMTP_AGENT_H
#define POSTERN_SMTP_AGENT_H

#include "ipc/deliver.h"

/* Delivers one request; every recipient gets a fate. May wait. */
void agent_deliver(struct delivery *d);

#endif
