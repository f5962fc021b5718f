/* Packets at postlogd's socket: every line it makes is one line of printable text. */
#include "log/postlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str in = str_mem(data, size);
	struct postlog_record r;
	struct buf line = {0};

	while (postlog_take(&in, &r) > 0) {
		buf_clear(&line);
		postlog_format(&line, &r);
		for (size_t i = 0; i < line.n; i++)
			if ((unsigned char)line.p[i] < ' ' && i != line.n - 1)
				abort();
	}
	buf_free(&line);
	return 0;
}
