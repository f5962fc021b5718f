/* What a milter may ask for at the end of a message, in any order: whatever it is, what comes out
 * is a header that reads back as the same fields, and a body in wire form. */
#include "milter/edit.h"

#include "base/mem.h"
#include "log/log.h"
#include "mail/header.h"
#include "milter/address.h"
#include "param/param.h"

#include <stdlib.h>

static str take(str *in, size_t n)
{
	str part = str_head(*in, n);

	*in = str_from(*in, part.n);
	return part;
}

static uint8_t byte(str *in)
{
	str b = take(in, 1);

	return b.n ? (uint8_t)b.p[0] : 0;
}

/* What comes through is an address, as far as that can be told. */
static void take_two(void *ctx, str text, str args)
{
	struct arena a = {0};
	bool more;
	str address = milter_address(&a, text, &more);

	(void)ctx;
	(void)args;
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] < ' ')
			abort();
	arena_free(&a);
}

static void take_one(void *ctx, str address)
{
	take_two(ctx, address, STR(""));
}

static bool check_field(void *ctx, str *text)
{
	(void)ctx;
	if (str_starts(*text, STR("R:")))
		*text = STR("Replaced: by a check");
	return !str_starts(*text, STR("D:"));
}

static const struct milter_envelope_ops ops = {take_two, take_two, take_one, check_field};

static bool next(str *in, struct milter_reply *r)
{
	static const enum milter_kind kinds[] = {MILTER_IS_ADD_HEADER, MILTER_IS_INSERT_HEADER,
	    MILTER_IS_CHANGE_HEADER, MILTER_IS_CHANGE_FROM, MILTER_IS_ADD_RCPT, MILTER_IS_DEL_RCPT,
	    MILTER_IS_REPLACE_BODY};

	if (in->n == 0)
		return false;
	*r = (struct milter_reply){.kind = kinds[byte(in) % ARRAY_SIZE(kinds)]};
	r->index = byte(in);
	if (r->index > 250)
		r->index = UINT32_MAX - r->index;
	r->name = take(in, byte(in) % 8);
	r->text = take(in, byte(in) % 64);
	r->args = STR("NOTIFY=NEVER");
	return true;
}

/* Reads back as it was. */
static void check_header(const struct milter_fields *f)
{
	struct milter_fields again = {0};
	struct arena a = {0};
	struct buf wire = {0};
	str name, value;

	milter_fields_put(f, &wire);
	milter_fields_parse(&again, &a, buf_view(&wire));
	if (again.n != f->n)
		abort();
	for (size_t i = 0; i < f->n; i++)
		if (!str_eq(f->v[i].text, again.v[i].text) ||
		    !milter_field_split(f->v[i].text, &name, &value))
			abort();
	milter_fields_free(&again);
	arena_free(&a);
	buf_free(&wire);
}

static void check_body(struct milter_body *b)
{
	struct wire_facts facts = {0};
	struct err err;

	if (!b)
		return;
	if (milter_body_done(b, &err) < 0)
		abort();
	wire_facts_feed(&facts, b->memory);
	if (b->memory.n && !str_ends(b->memory, STR("\r\n")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	str in = str_mem(data, n);
	struct milter_fields f = {0};
	struct milter_edits e = {0};
	struct arena a = {0};
	struct milter_reply r;
	struct err err;
	bool leading = byte(&in) & 1;

	log_early("fuzz");
	conf.message_size_limit = 10000;
	milter_fields_insert(&f, 0, STR("Received: ours"));
	f.v[0].hidden = true;
	milter_fields_insert(&f, 1, STR("A: one\n\ttwo"));
	while (next(&in, &r) && milter_edits_add(&e, &r, leading, "fuzz", &err) == 0)
		;
	milter_edits_apply(&e, &f, &a, &ops, NULL);
	if (f.n == 0)
		abort();
	check_header(&f);
	check_body(e.body);
	milter_edits_free(&e);
	milter_fields_free(&f);
	arena_free(&a);
	return 0;
}
