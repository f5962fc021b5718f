/* What a hostile milter sends: packets, replies, negotiation's lists, reply codes; a chain that is
 * handed over. */
#include "milter/handover.h"
#include "milter/milter_int.h"

#include <stdlib.h>

static void check_reply(const struct milter_reply *r, str data)
{
	const str parts[] = {r->name, r->text, r->args};

	for (size_t i = 0; i < 3; i++)
		if (parts[i].n &&
		    (parts[i].p < data.p || parts[i].p + parts[i].n > data.p + data.n))
			abort();
}

static void check_code(str text)
{
	struct buf out = {0};
	struct err err;

	if (milter_replycode(text, &out, &err) == 0 &&
	    (out.n < 4 || (out.p[0] != '4' && out.p[0] != '5') || out.p[3] != ' '))
		abort();
	buf_free(&out);
}

static void lists(str data)
{
	uint32_t stage;
	str text;

	while (milter_take_u32(&data, &stage) && milter_take_z(&data, &text))
		;
}

static void chain(str data)
{
	struct err err;

	milter_chain_free(milter_chain_unpack(data, NULL, 0, NULL, NULL, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	str in = str_mem(bytes, size), data;
	struct milter_reply r;
	struct err err;
	size_t need;
	char cmd;
	int taken;

	chain(in);
	while ((taken = milter_packet_take(&in, &cmd, &data, &need, &err)) == 0) {
		if (milter_reply_parse(cmd, data, &r, &err) == 0) {
			check_reply(&r, data);
			check_code(r.text);
			lists(r.text);
		} else if (!err.text[0]) {
			abort();
		}
	}
	if (taken > 0 && need <= in.n)
		abort();
	return 0;
}
