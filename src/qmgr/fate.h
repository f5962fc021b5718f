/* Delivery records of recipients that no agent has seen. */
#ifndef POSTERN_QMGR_FATE_H
#define POSTERN_QMGR_FATE_H

#include "qmgr/message.h"

void fate_log(
    const struct message *m, uint32_t index, enum rcpt_kind kind, const char *dsn, str text);

#endif
