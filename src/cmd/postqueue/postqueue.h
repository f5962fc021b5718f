/* postqueue(1): the listing as showq sends it, and its two forms. */
#ifndef POSTERN_CMD_POSTQUEUE_H
#define POSTERN_CMD_POSTQUEUE_H

#include "loop/stream.h"

struct showq_rcpt {
	str address, reason; /* reason p NULL: none */
};
struct showq_message {
	str queue, id, sender;
	int64_t time, size;
	bool forced_expire;
	struct showq_rcpt *rcpts;
	size_t nrcpts, cap;
};

/* Reads the stream of public/showq and calls fn for each message. 0; -1 and err when it is
 * malformed or ends too early. May wait. */
int showq_read(struct stream *s, void (*fn)(const struct showq_message *m), struct err *err);

void list_classic(const struct showq_message *m);
void list_classic_end(void);
void list_json(const struct showq_message *m);

#endif
