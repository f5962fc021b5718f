/* Output of commands. */
#include "service/verdict.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command_result r = {.end = COMMAND_ENDED};
	struct arena a = {0};
	struct fate f = {0};

	if (size == 0)
		return 0;
	r.status = data[0] << 8; /* exit status */
	buf_add(&r.output, data + 1, size - 1);
	verdict_make(&f, &r, "/x", &a);
	if (f.kind == RCPT_PENDING || !f.dsn ||
	    (f.kind != RCPT_SENT && strpbrk(f.reason, "\r\n\t")))
		abort();
	buf_free(&r.output);
	arena_free(&a);
	return 0;
}
