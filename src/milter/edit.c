#include "milter/edit.h"

#include "base/mem.h"
#include "log/log.h"
#include "loop/co.h"
#include "milter/address.h"
#include "param/param.h"

#include <stdlib.h>

/* Far beyond what any filter does. */
#define EDITS_MAX 10000
#define BYTES_MAX ((size_t)8 * 1024 * 1024)
#define WARNINGS  10 /* of one kind, about one message */
/* Fields that are looked at or moved by all changes together, and in one go. */
#define WORK_MAX     ((uint64_t)120 * 1000 * 1000)
#define WORK_AT_ONCE 1000000

static int replace_body(struct milter_edits *e, str piece, struct err *err)
{
	if (!e->body)
		e->body = milter_body_new(
		    conf.message_size_limit > 0 ? (uint64_t)conf.message_size_limit : 0);
	return milter_body_add(e->body, piece, err);
}

static bool is_field(enum milter_kind kind)
{
	return kind == MILTER_IS_ADD_HEADER || kind == MILTER_IS_INSERT_HEADER ||
	       kind == MILTER_IS_CHANGE_HEADER;
}

/* text becomes that of the whole field; it stays empty when the field is to go. */
static bool take_field(
    struct milter_edits *e, struct milter_reply *r, bool leading, const char *milter)
{
	struct buf shown = {0};
	str name = r->name;

	r->name = arena_str(&e->arena, name);
	if (r->kind == MILTER_IS_CHANGE_HEADER && r->text.n == 0)
		return true;
	r->text = milter_field_text(&e->arena, name, r->text, leading);
	if (r->text.p)
		return true;
	if (e->ignored++ >= WARNINGS)
		return false;
	buf_escape(&shown, name, 100);
	log_warn("milter %s: header field with the bad name \"%s\" is ignored", milter,
	    buf_text(&shown));
	buf_free(&shown);
	return false;
}

int milter_edits_add(struct milter_edits *e, const struct milter_reply *r, bool leading,
    const char *milter, struct err *err)
{
	struct milter_reply mine = *r;

	if (r->kind == MILTER_IS_REPLACE_BODY)
		return replace_body(e, r->text, err);
	if (e->n >= EDITS_MAX || e->arena.total + r->text.n > BYTES_MAX)
		return err_set(err, "more changes than can be kept");
	if (is_field(r->kind)) {
		if (!take_field(e, &mine, leading, milter))
			return 0;
	} else {
		if (milter_address_check(r->text, err) < 0)
			return -1;
		mine.text = arena_str(&e->arena, r->text);
		mine.args = arena_str(&e->arena, r->args);
	}
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 16;
		e->v = mem_realloc(e->v, e->cap * sizeof(*e->v));
	}
	e->v[e->n++] = mine;
	return 0;
}

void milter_edits_free(struct milter_edits *e)
{
	free(e->v);
	milter_body_free(e->body);
	arena_free(&e->arena);
	*e = (struct milter_edits){0};
}

/* --- doing it */

struct work {
	struct milter_fields *f;
	struct arena *arena;
	const struct milter_envelope_ops *ops;
	void *ctx;
	bool changed;
};

/* milter_header_checks. False: the field is not to be. */
static bool check(struct work *w, str *text)
{
	if (w->ops->check_field && !w->ops->check_field(w->ctx, text))
		return false;
	*text = arena_str(w->arena, *text);
	return true;
}

static void insert(struct work *w, size_t at, str text)
{
	if (!check(w, &text))
		return;
	milter_fields_insert(w->f, at, text);
	w->changed = true;
}

/* A field that is not there is made, at the end. */
static void change(struct work *w, const struct milter_reply *r)
{
	ptrdiff_t at = milter_fields_find(w->f, r->name, r->index);
	str text = r->text;

	if (at < 0) {
		if (text.n)
			insert(w, w->f->n, text);
		return;
	}
	if (text.n == 0)
		milter_fields_remove(w->f, (size_t)at);
	else if (check(w, &text))
		w->f->v[at].text = text;
	else
		return;
	w->changed = true;
}

static void apply(struct work *w, const struct milter_reply *r)
{
	switch (r->kind) {
	case MILTER_IS_ADD_HEADER:
		insert(w, w->f->n, r->text);
		return;
	case MILTER_IS_INSERT_HEADER:
		insert(w, r->index, r->text);
		return;
	case MILTER_IS_CHANGE_HEADER:
		change(w, r);
		return;
	case MILTER_IS_CHANGE_FROM:
		w->ops->change_from(w->ctx, r->text, r->args);
		return;
	case MILTER_IS_ADD_RCPT:
		w->ops->add_rcpt(w->ctx, r->text, r->args);
		return;
	case MILTER_IS_DEL_RCPT:
		w->ops->del_rcpt(w->ctx, r->text);
		return;
	default:
		return;
	}
}

int milter_edits_check(const struct milter_edits *e, const struct milter_fields *f, struct err *err)
{
	if ((uint64_t)e->n * (e->n + f->n) <= WORK_MAX)
		return 0;
	return err_set(err, "%zu changes to a message with %zu header fields", e->n, f->n);
}

bool milter_edits_apply(struct milter_edits *e, struct milter_fields *f, struct arena *a,
    const struct milter_envelope_ops *ops, void *ctx)
{
	struct work w = {.f = f, .arena = a, .ops = ops, .ctx = ctx};

	for (size_t i = 0, work = 0; i < e->n; i++) {
		apply(&w, &e->v[i]);
		work += f->n + 1000; /* recipients are looked for, too */
		if (work < WORK_AT_ONCE)
			continue;
		co_yield ();
		work = 0;
	}
	return w.changed;
}
