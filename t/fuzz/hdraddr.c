/* Header address lists: nothing fails, and addresses found in a list that was written anew are
 * those that were put in. */
#include "mail/hdraddr.h"

#include <stdlib.h>

struct seen {
	struct buf all;
	size_t count;
};

static bool replace(void *ctx, str address, struct buf *out)
{
	struct seen *seen = ctx;

	seen->count++;
	(void)address;
	if (!out)
		return false;
	buf_cstr(out, "a b@x.test");
	return true;
}

static bool look(void *ctx, str address, struct buf *out)
{
	struct seen *seen = ctx;

	(void)out;
	seen->count++;
	buf_str(&seen->all, address);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen first = {0}, second = {0}, third = {0};
	struct buf out = {0};
	str in = str_mem(data, size);
	bool changed;

	hdraddr_each(in, 0, look, &first);
	changed = hdraddr_rewrite(in, 4, 0, replace, &second, &out);
	/* What only its quotes tell from its standard form counts as changed, too; what they alone
	 * tell from another address is not shown for a change. */
	if (first.count < second.count || (second.count > 0 && !changed))
		abort();
	for (size_t i = 0; i + 1 < out.n; i++)
		if (out.p[i] == '\n' && out.p[i + 1] != '\t')
			abort();
	hdraddr_each(buf_view(&out), 0, look, &third);
	buf_clear(&out);
	hdraddr_rewrite(in, 4, 10, replace, &second, &out);
	buf_clear(&out);
	hdraddr_one(in, &out);
	hdraddr_phrase(&out, in);
	hdraddr_comment(&out, in);
	buf_free(&out);
	buf_free(&first.all);
	buf_free(&second.all);
	buf_free(&third.all);
	return 0;
}
