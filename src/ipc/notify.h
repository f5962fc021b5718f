/* Client of the bounce, defer and trace services. Used by qmgr. */
#ifndef POSTERN_IPC_NOTIFY_H
#define POSTERN_IPC_NOTIFY_H

#include "ipc/msg.h"

enum notify_kind {
	NOTIFY_BOUNCE = 1, /* non-delivery; service bounce */
	NOTIFY_DELAY,      /* delayed; service defer */
	NOTIFY_SUCCESS,    /* DSN success, sendmail -v and -bv reports; service trace */
};

#endif
