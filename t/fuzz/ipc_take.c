/* Frames from another program: whatever decodes encodes to the same bytes. */
#include "ipc/msg.h"

#include <stdlib.h>

static const void *fields(const struct ipc_msg *m)
{
	return &m->env_sender; /* all members of the union begin at the same place */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = str_mem(data, size);
	struct buf again = {0};
	struct arena a = {0};
	struct ipc_msg m;
	struct err err;

	for (;;) {
		const char *from = in.p;
		int got = ipc_take(&in, &m, &err);

		if (got != 0)
			break;
		buf_clear(&again);
		ipc_put(&again, m.type, fields(&m));
		if (!str_eq(buf_view(&again), str_mem(from, (size_t)(in.p - from))))
			abort();
		ipc_keep(&m, &a);
		buf_clear(&again);
		ipc_put(&again, m.type, fields(&m));
		if (!str_eq(buf_view(&again), str_mem(from, (size_t)(in.p - from))))
			abort();
	}
	buf_free(&again);
	arena_free(&a);
	return 0;
}
