#include "log/event.h"
#include "base/mem.h"
#include "log/log_int.h"
#include "param/param.h"

#define EVENT_INFO_C(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_TEXT                                                               \
	}
#define EVENT_INFO_S(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_TEXT                                                               \
	}
#define EVENT_INFO_Q(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_TEXT                                                               \
	}
#define EVENT_INFO_A(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_ADDRESS                                                            \
	}
#define EVENT_INFO_E(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_INPUT                                                              \
	}
#define EVENT_INFO_U(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_UNSIGNED                                                           \
	}
#define EVENT_INFO_I(x)                                                                            \
	{                                                                                          \
#x, EVENT_FIELD_SIGNED                                                             \
	}

const struct event_info event_table[EVENT_COUNT] = {
#define EVENT(name, level, text, ...)                                                              \
	{#name, LOG_LEVEL_##level, text, {EVENT_MAP(EVENT_INFO_, __VA_ARGS__)}},
#include "log/event.tbl"
#undef EVENT
};

/* A row's text is turned into steps at its first use. */
enum step_kind {
	STEP_END,
	STEP_LITERAL,	/* text */
	STEP_FIELD,	/* the field */
	STEP_PRESENT,	/* unless the field is present, skip steps */
	STEP_NOT_EMPTY, /* unless it is present and not empty, skip steps */
};
struct step {
	enum step_kind kind;
	int field;
	int skip;
	str text;
};
static struct step *programs[EVENT_COUNT];

struct compiler {
	struct step *v;
	size_t n;
	const struct event_info *info;
};

static struct step *step_add(struct compiler *c, enum step_kind kind)
{
	c->v = mem_realloc(c->v, (c->n + 1) * sizeof *c->v);
	c->v[c->n] = (struct step){.kind = kind};
	return &c->v[c->n++];
}

static int field_index(const struct event_info *info, str name)
{
	for (int i = 0; info->fields[i].name; i++)
		if (str_eq(str_of(info->fields[i].name), name))
			return i;
	log_panic("event %s: no field %.*s", info->name, STR_FMT(name));
}

static void add_literal(struct compiler *c, const char *from, const char *to)
{
	if (to > from)
		step_add(c, STEP_LITERAL)->text = str_mem(from, (size_t)(to - from));
}

/* "{name}" at p; returns what is behind it. */
static const char *add_field(struct compiler *c, const char *p)
{
	const char *end = strchr(p, '}');

	if (end == NULL)
		log_panic("event %s: { without }", c->info->name);
	step_add(c, STEP_FIELD)->field =
	    field_index(c->info, str_mem(p + 1, (size_t)(end - p - 1)));
	return end + 1;
}

/* Compiles up to the end of the text, or of the group when in one. */
static const char *compile(struct compiler *c, const char *p, bool in_group)
{
	const char *from = p;

	while (*p && !(in_group && *p == '}')) {
		if (*p != '{') {
			p++;
			continue;
		}
		add_literal(c, from, p);
		if (p[1] == '?' || p[1] == '+') {
			size_t at = c->n, i;

			step_add(c, p[1] == '?' ? STEP_PRESENT : STEP_NOT_EMPTY);
			p = compile(c, p + 2, true) + 1;
			for (i = at + 1; i < c->n && c->v[i].kind != STEP_FIELD;)
				i++;
			c->v[at].field = c->v[i].field;
			c->v[at].skip = (int)(c->n - at - 1);
		} else {
			p = add_field(c, p);
		}
		from = p;
	}
	add_literal(c, from, p);
	return p;
}

static const struct step *event_program(enum event e)
{
	if (programs[e] == NULL) {
		struct compiler c = {.info = &event_table[e]};

		compile(&c, c.info->text, false);
		step_add(&c, STEP_END);
		programs[e] = c.v;
	}
	return programs[e];
}

static bool field_present(enum event_type type, const struct event_value *v)
{
	return type == EVENT_FIELD_UNSIGNED || type == EVENT_FIELD_SIGNED ? v->u != 0
									  : v->s.p != NULL;
}

static bool field_not_empty(enum event_type type, const struct event_value *v)
{
	return field_present(type, v) &&
	       (type == EVENT_FIELD_UNSIGNED || type == EVENT_FIELD_SIGNED || v->s.n > 0);
}

static void field_print(struct buf *out, enum event_type type, const struct event_value *v)
{
	switch (type) {
	case EVENT_FIELD_TEXT:
		buf_str(out, v->s);
		break;
	case EVENT_FIELD_ADDRESS:
		log_address(out, v->s);
		break;
	case EVENT_FIELD_INPUT:
		buf_escape(out, v->s, 100);
		break;
	case EVENT_FIELD_UNSIGNED:
		buf_printf(out, "%llu", (unsigned long long)v->u);
		break;
	case EVENT_FIELD_SIGNED:
		buf_printf(out, "%lld", (long long)v->i);
		break;
	}
}

void event_text(struct buf *out, enum event e, const struct event_value *v)
{
	const struct event_field *fields = event_table[e].fields;

	for (const struct step *s = event_program(e); s->kind != STEP_END; s++) {
		enum event_type type = fields[s->field].type;

		if (s->kind == STEP_LITERAL)
			buf_str(out, s->text);
		else if (s->kind == STEP_FIELD)
			field_print(out, type, &v[s->field]);
		else if (s->kind == STEP_PRESENT ? !field_present(type, &v[s->field])
						 : !field_not_empty(type, &v[s->field]))
			s += s->skip;
	}
}

void log_event(enum event e, const struct event_value *v)
{
	event_text(log_begin(), e, v);
	log_end(event_table[e].level);
}

/* RFC 5322 3.2.3 atext and the dots between; UTF-8 as in RFC 6531 3.3. */
static bool is_dot_string(str local)
{
	char before = '.';

	for (size_t i = 0; i < local.n; before = local.p[i++]) {
		unsigned char c = (unsigned char)local.p[i];

		if (c == '.' ? before == '.'
			     : c <= ' ' || c == 0x7f || strchr("()<>[]:;@\\,\"", c) != NULL)
			return false;
	}
	return local.n > 0 && before != '.';
}

void log_address(struct buf *out, str address)
{
	ptrdiff_t at = str_rchr(address, '@');
	str local = at < 0 ? address : str_head(address, (size_t)at);

	if (address.n == 0 || is_dot_string(local) ||
	    (conf.info_log_address_format && *conf.info_log_address_format == 'i')) {
		buf_str(out, address);
		return;
	}
	buf_quoted(out, local);
	buf_str(out, str_from(address, local.n));
}
