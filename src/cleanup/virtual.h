/* virtual(5): alias expansion of recipients, recursive. */
#ifndef POSTERN_CLEANUP_VIRTUAL_H
#define POSTERN_CLEANUP_VIRTUAL_H

#include "cleanup/message.h"

struct virtual_list {
	str *v; /* addresses in the message's arena; the array is malloc'ed */
	size_t n, cap;
};

void virtual_setup(void);
/* What address expands to (itself, when no alias has it). -1: a table failed or a limit was passed;
 * the message is failed. May wait. */
int virtual_expand(struct message *m, str address, struct virtual_list *out);

#endif
