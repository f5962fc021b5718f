/* The message that postdrop is given: frames of ipc/msg.tbl ("postdrop -r"). */
#ifndef POSTERN_CMD_POSTDROP_H
#define POSTERN_CMD_POSTDROP_H

#include "base/arena.h"
#include "queue/envelope.h"
#include "smtpwire/wire.h"

struct drop {
	struct arena arena;
	struct envelope env;
	struct buf content;
	struct wire_facts facts; /* of content */
	struct buf in;		 /* input that is not taken apart yet */
	char before[2];		 /* the last bytes of content; start as if behind a line */
	bool have_sender;
};

enum drop_state { DROP_BAD = -1, DROP_MORE = 0, DROP_COMPLETE };
/* Takes what d->in has. DROP_BAD and err: malformed, or too much. */
enum drop_state drop_take(struct drop *d, struct err *err);
/* d is {0} but for what this sets. */
void drop_init(struct drop *d);
void drop_free(struct drop *d);

#endif
