/* Answers of policy servers, in pieces: the first byte says how large they are. */
#include "policyproto/policy.h"
#include <stdlib.h>

static enum policy_state feed(struct policy_answer *a, str data, size_t step, size_t *total)
{
	enum policy_state state = POLICY_MORE;
	struct err err;
	size_t used;

	while (state == POLICY_MORE && data.n > 0) {
		state = policy_answer_feed(a, str_head(data, step), &used, &err);
		*total += used;
		data = str_from(data, used);
	}
	return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_answer whole = {0}, pieces = {0};
	size_t used = 0, used2 = 0, step = size ? data[0] + 1 : 1;
	str text = str_mem(data + (size > 0), size - (size > 0));
	struct buf request = {0};
	enum policy_state state;

	state = feed(&whole, text, SIZE_MAX, &used);
	if (feed(&pieces, text, step, &used2) != state)
		abort();
	if (state == POLICY_DONE &&
	    (used != used2 || !str_eq(buf_view(&whole.action), buf_view(&pieces.action))))
		abort();
	policy_put(&request, "name", text);
	if (str_chr(str_head(buf_view(&request), request.n - 1), '\n') >= 0)
		abort();
	buf_free(&request);
	buf_free(&whole.action);
	buf_free(&pieces.action);
	return 0;
}
