/* Replies of tcp: and socketmap: servers. */
#include "table/netproto.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str all = str_mem(data, size);
	struct buf value = {0};
	struct err err = {0};
	size_t length, used;

	tcp_reply(all, &value, &err);
	if (netstring_head(all, 100000, &length, &used, &err) > 0 && used + length <= size)
		socketmap_reply(str_mem(all.p + used, length), &value, &err);
	socketmap_reply(all, &value, &err);
	buf_clear(&value);
	tcp_request(&value, all);
	buf_free(&value);
	return 0;
}
