/* Client of the bounce, defer and trace services. Used by qmgr. */
#ifndef POSTERN_IPC_NOTIFY_H
#define POSTERN_IPC_NOTIFY_H

#include "ipc/msg.h"

enum notify_kind {
	NOTIFY_BOUNCE = 1, /* non-delivery; service bounce */
	NOTIFY_DELAY,	   /* delayed; service defer */
	NOTIFY_SUCCESS,	   /* DSN success; service trace */
	NOTIFY_TRACE,	   /* sendmail -v and -bv: what became of each recipient; service trace */
};

/* Asks the service of m->kind for a report about recipients of a message. attrs, rcpts and status
 * are the envelope's arrays; which names the n recipients the report is about (rcpts[which[i]],
 * status[which[i]]). 0: it is done (the report is on the disk, or there was nobody to tell); -1 and
 * err: try again later. Everything must stay as it is until it returns. May wait. */
int notify_send(const struct ipc_notify *m, const struct ipc_env_attr *attrs, size_t nattrs,
    const struct ipc_env_rcpt *rcpts, const struct ipc_rcpt_status *status, const uint32_t *which,
    size_t n, int64_t deadline, struct err *err);

#endif
