#include "milter/message.h"

#include "base/mem.h"
#include "milter/edit.h"
#include "milter/event.h"
#include "milter/milter_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

struct milter_message {
	struct arena arena; /* texts of fields */
	struct milter_fields fields;
	bool separated; /* header and body by an empty line */
	struct milter_body *body;
	bool changed;
};

struct milter_message *milter_message_new(
    str header, size_t hidden, str body, int file, uint64_t offset, uint64_t length)
{
	struct milter_message *m = mem_zero(sizeof(*m));

	m->separated = milter_fields_parse(&m->fields, &m->arena, header);
	if (hidden < m->fields.n)
		m->fields.v[hidden].hidden = true;
	m->body = mem_zero(sizeof(*m->body));
	*m->body = (struct milter_body){
	    .memory = body, .file = file, .offset = offset, .length = file >= 0 ? length : body.n};
	return m;
}

void milter_message_free(struct milter_message *m)
{
	if (!m)
		return;
	milter_fields_free(&m->fields);
	milter_body_free(m->body);
	arena_free(&m->arena);
	free(m);
}

bool milter_message_changed(const struct milter_message *m)
{
	return m->changed;
}

/* --- writing */

struct sink {
	int (*put)(void *ctx, str wire);
	void *ctx;
};

static bool put_piece(void *ctx, str wire)
{
	struct sink *s = ctx;

	return s->put(s->ctx, wire) == 0;
}

int milter_message_write(
    struct milter_message *m, int (*put)(void *ctx, str wire), void *ctx, struct err *err)
{
	struct sink s = {put, ctx};
	struct buf head = {0};
	int result;

	milter_fields_put(&m->fields, &head);
	if (m->separated || m->body->length > 0)
		buf_cstr(&head, "\r\n");
	result = put(ctx, buf_view(&head));
	buf_free(&head);
	if (result == 0)
		result = milter_body_each(m->body, put_piece, &s, err);
	return result == 0 ? 0 : -1;
}

/* --- showing it to a milter */

struct turn {
	struct milter *milter;
	struct milter_answer answer;
	enum milter_go go;
	struct wire_unstuff unstuff;
	struct buf plain;
	struct milter_edits edits;
};

static void show_header(struct milter_message *m, struct turn *t)
{
	str name, value;

	t->go = MILTER_GO;
	for (size_t i = 0; i < m->fields.n && t->go == MILTER_GO; i++)
		if (!m->fields.v[i].hidden &&
		    milter_field_split(m->fields.v[i].text, &name, &value))
			t->go = milter_header(t->milter, name, value, &t->answer);
}

static bool show_piece(void *ctx, str wire)
{
	struct turn *t = ctx;

	buf_clear(&t->plain);
	wire_unstuff_feed(&t->unstuff, wire, &t->plain);
	t->go = milter_body(t->milter, buf_view(&t->plain), &t->answer);
	return t->go == MILTER_GO;
}

static bool is_stuffed(str wire)
{
	return wire.n && (wire.p[0] == '.' || memmem(wire.p, wire.n, "\n.", 2));
}

/* Most bodies have no line that begins with a dot, and are shown as they lie. */
static void show_body(struct milter_message *m, struct turn *t)
{
	struct err err;

	t->go = MILTER_GO;
	if (m->body->file < 0 && !is_stuffed(m->body->memory)) {
		t->go = milter_body(t->milter, m->body->memory, &t->answer);
		return;
	}
	t->unstuff = (struct wire_unstuff){0};
	if (milter_body_each(m->body, show_piece, t, &err) < 0)
		t->go = milter_bad_change(t->milter, &err, &t->answer);
}

/* libmilter sends each change by itself, and its kernel holds the next one back until ours has
 * acknowledged the last: 40 ms each, when nothing is done about it. */
static void acknowledge(struct milter *m)
{
	if (m->io && str_starts_nocase(str_of(m->conf->name), STR("inet:")))
		setsockopt(m->io->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
}

static void hear(struct turn *t)
{
	struct milter_reply r;
	struct err err;

	t->go = milter_eom(t->milter, &t->answer);
	while (t->go != MILTER_END) {
		t->go = milter_eom_reply(t->milter, &r, &t->answer);
		if (t->go == MILTER_END)
			return;
		acknowledge(t->milter);
		if (milter_edits_add(&t->edits, &r, milter_leading_space(t->milter),
			milter_name(t->milter), &err) < 0)
			t->go = milter_bad_change(t->milter, &err, &t->answer);
	}
}

/* The milter has let the message pass: what it wanted is done, or nothing of it. */
static void settle(
    struct milter_message *m, struct turn *t, const struct milter_envelope_ops *ops, void *ctx)
{
	struct err err = {0};

	if (milter_edits_check(&t->edits, &m->fields, &err) < 0 ||
	    (t->edits.body && milter_body_done(t->edits.body, &err) < 0)) {
		milter_bad_change(t->milter, &err, &t->answer);
		return;
	}
	m->changed |= milter_edits_apply(&t->edits, &m->fields, &m->arena, ops, ctx);
	if (!t->edits.body)
		return;
	milter_body_free(m->body);
	m->body = t->edits.body;
	t->edits.body = NULL;
	m->changed = true;
}

static struct milter_answer take_turn(struct milter_message *m, struct milter *milter,
    const struct milter_envelope_ops *ops, void *ctx)
{
	struct turn t = {.milter = milter};

	show_header(m, &t);
	if (t.go != MILTER_END)
		t.go = milter_eoh(milter, &t.answer);
	if (t.go != MILTER_END)
		show_body(m, &t);
	if (t.go != MILTER_END) {
		hear(&t);
		if (t.answer.verdict == MILTER_CONTINUE && !milter_lost(milter) &&
		    (t.edits.n || t.edits.body))
			settle(m, &t, ops, ctx);
	}
	buf_free(&t.plain);
	milter_edits_free(&t.edits);
	return t.answer;
}

struct milter_answer milter_message_run(struct milter_chain *c, struct milter_message *m,
    const struct milter_envelope_ops *ops, void *ctx)
{
	struct milter_answer a = {0};

	for (size_t i = 0; i < milter_chain_size(c) && a.verdict == MILTER_CONTINUE; i++) {
		struct milter *milter = milter_chain_message(c, i, &a);

		if (milter)
			a = take_turn(m, milter, ops, ctx);
	}
	a.hold = milter_chain_hold(c, &a.hold_reason);
	return a;
}
