/* Client of postdrop: how a process without privileges puts a message into the maildrop. Used by
 * sendmail and by smtpd on standard input. */
#ifndef POSTERN_IPC_DROP_H
#define POSTERN_IPC_DROP_H

#include "ipc/msg.h"

/* One message. Errors are kept until drop_commit(). All may wait. */
struct drop;
struct drop *drop_open(void);				       /* starts postdrop -r; never NULL */
void drop_put(struct drop *d, enum msg type, const void *msg); /* ENV_SENDER, ENV_ATTR, ENV_RCPT */
void drop_content(struct drop *d, str wire);
/* Ends the message; frees d. Its exit status (sysexits.h; 0: it is in the maildrop); *id (may be
 * NULL) gets the queue ID, *text (may be NULL) what went wrong. */
int drop_commit(struct drop *d, struct buf *id, struct buf *text);
void drop_abort(struct drop *d); /* frees d */

#endif
