#include "param/scope.h"
#include "base/mem.h"
#include "param/param.h"
#include "param/table.h"

#define MAX_DEPTH 100 /* names that refer to names */

struct cached {
	const char *value; /* NULL while it is being made */
};

static bool is_read_only(str name)
{
	return str_eq(name, STR("config_directory")) || str_eq(name, STR("process_id")) ||
	       str_eq(name, STR("process_name"));
}

const char *param_raw(struct param_scope *s, str name)
{
	const char *set = is_read_only(name) ? NULL : s->raw(s->ctx, name);

	if (set)
		return set;
	if (s->dir && str_eq(name, STR("config_directory")))
		return s->dir;
	if (s->process_name && str_eq(name, STR("process_name")))
		return s->process_name;
	const struct param_row *row = param_find(name);
	if (!row)
		return NULL;
	if (row->def)
		return row->def;
	struct buf b = {0};
	param_computed(s, name, &b);
	const char *value = arena_cstr(&s->mem, buf_view(&b));
	buf_free(&b);
	return value;
}

bool param_busy(const struct param_scope *s, str name)
{
	const struct cached *c = htab_get(&s->cache, name);

	return c && !c->value;
}

static const char *look(void *ctx, str name)
{
	struct param_scope *s = ctx;
	const char *value = NULL;

	if (!s->failed && param_value(s, name, &value, s->err) != 0)
		s->failed = true;
	return value;
}

int param_expand(struct param_scope *s, struct buf *out, str text, struct err *err)
{
	struct err local = {0}, *outer = s->err;
	int r;

	s->err = &local;
	r = expand_text(out, text, look, s, &local);
	s->err = outer;
	if (s->failed)
		r = -1;
	if (s->depth == 0)
		s->failed = false;
	if (r != 0 && err)
		*err = local;
	return r;
}

/* Text whose $names belong to a later time (forward_path, replies, sets of characters) stays as it
 * is. */
static bool is_literal(str name)
{
	const struct param_row *row = param_find(name);

	return row && row->type == PARAM_TYPE_RAW;
}

int param_value(struct param_scope *s, str name, const char **value, struct err *err)
{
	struct cached *c = htab_get(&s->cache, name);
	struct buf b = {0};

	*value = c ? c->value : NULL;
	if (*value)
		return 0;
	if (c || s->depth >= MAX_DEPTH)
		return err_set(
		    err, "unreasonable macro call nesting: \"%.*s\"", STR_FMT(str_head(name, 100)));
	c = arena_zero(&s->mem, sizeof(*c));
	htab_set(&s->cache, name, c);
	const char *raw = param_raw(s, name);
	if (!raw) {
		htab_del(&s->cache, name);
		return 0;
	}
	int r = 0;
	if (is_literal(name) || !strchr(raw, '$')) {
		c->value = arena_cstr(&s->mem, str_trim(str_of(raw)));
	} else {
		s->depth++;
		r = param_expand(s, &b, str_of(raw), err);
		s->depth--;
		if (s->depth == 0)
			s->failed = false;
		if (r == 0)
			c->value = arena_cstr(&s->mem, str_trim(buf_view(&b)));
		buf_free(&b);
	}
	if (r != 0)
		htab_del(&s->cache, name);
	*value = c->value;
	return r;
}

void param_scope_free(struct param_scope *s)
{
	htab_free(&s->cache, NULL);
	arena_free(&s->mem);
}
