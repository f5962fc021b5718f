/* pipemap:{type:name ...}: each answer is the next table's question.
 * unionmap:{type:name ...}: the answers of all, with commas between them. */
#include "base/mem.h"
#include "table/type.h"
#include <stdlib.h>

struct stack {
	struct table **v; /* shared, never closed */
	size_t n;
};

static void unload(void *impl)
{
	struct stack *s = impl;

	free(s->v);
	free(s);
}

static void *load(struct table *t, struct err *err)
{
	const char *type = t->type->name;
	struct stack *s;
	str rest, word;

	if (table_braces(str_of(t->name), &rest, NULL) != 0 || rest.n == 0) {
		err_set(err, "bad syntax: \"%s\"; need \"%s:{type:name...}\"", t->spec, type);
		return NULL;
	}
	s = mem_zero(sizeof(*s));
	while (str_word_braced(&rest, ", \t\r\n", &word)) {
		struct table *member;

		if (str_chr(word, ':') <= 0) {
			err_set(
			    err, "bad syntax: \"%s\"; need \"%s:{type:name...}\"", t->spec, type);
			unload(s);
			return NULL;
		}
		member = table_open(word, t->flags, err);
		if (!member) {
			unload(s);
			if (err)
				err->code = 0;
			return NULL;
		}
		if (!table_partial_keys(member) && (s->n == 0 || type[0] == 'u'))
			t->traits &= ~(unsigned)TRAIT_PARTIAL;
		s->v = mem_realloc(s->v, (s->n + 1) * sizeof(*s->v));
		s->v[s->n++] = member;
	}
	return s;
}

static enum table_result pipe_get(struct table *t, str key, struct buf *value, struct err *err)
{
	const struct stack *s = t->impl;
	struct buf question = {0};
	enum table_result r = TABLE_FOUND;

	buf_str(&question, key);
	for (size_t i = 0; i < s->n && r == TABLE_FOUND; i++) {
		r = table_get(s->v[i], buf_view(&question), value, err);
		buf_clear(&question);
		buf_str(&question, buf_view(value));
	}
	buf_free(&question);
	return r;
}

static enum table_result union_get(struct table *t, str key, struct buf *value, struct err *err)
{
	const struct stack *s = t->impl;
	struct buf one = {0};
	enum table_result r = TABLE_NONE, all = TABLE_NONE;

	for (size_t i = 0; i < s->n; i++) {
		r = table_get(s->v[i], key, &one, err);
		if (r == TABLE_ERROR) {
			all = TABLE_ERROR;
			break;
		}
		if (r == TABLE_FOUND) {
			if (all == TABLE_FOUND)
				buf_char(value, ',');
			buf_str(value, buf_view(&one));
			all = TABLE_FOUND;
		}
	}
	buf_free(&one);
	return all;
}

const struct table_type table_type_pipemap = {
    .name = "pipemap",
    .traits = TRAIT_PARTIAL,
    .load = load,
    .unload = unload,
    .get = pipe_get,
};
const struct table_type table_type_unionmap = {
    .name = "unionmap",
    .traits = TRAIT_PARTIAL,
    .load = load,
    .unload = unload,
    .get = union_get,
};
