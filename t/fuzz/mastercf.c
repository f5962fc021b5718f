/* master.cf: any bytes are parsed or refused with a reason. */
#include "param/mastercf.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mastercf m = {0};
	struct err err = {0};
	int r = mastercf_parse(&m, "master.cf", str_mem(data, size), &err);

	assert(r == 0 || err.text[0]);
	for (size_t i = 0; i < m.n; i++)
		assert(m.v[i].name && m.v[i].command && m.v[i].args && !m.v[i].args[m.v[i].nargs]);
	mastercf_free(&m);
	return 0;
}
