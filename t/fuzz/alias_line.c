// with: src/cmd/postalias/aliasline.c
/* Lines of alias files. */
#include "cmd/postalias/aliasline.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf key = {0}, value = {0};

	aliasline_parse(str_mem(data, size), &key, &value);
	buf_free(&key);
	buf_free(&value);
	return 0;
}
