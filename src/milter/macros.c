/* Macros: which are sent before an event (milter_*_macros, or what the milter asked for), and their
 * values. */
#include "milter/milter_int.h"

#include "param/param.h"

#define SEPS ", \t\r\n"

/* Header fields have the macros of the end of the header, body chunks those of the end of the
 * message. */
static enum milter_stage list_of(enum milter_stage stage)
{
	return stage == STAGE_HEADER ? STAGE_EOH : stage == STAGE_BODY ? STAGE_EOM : stage;
}

const char *milter_macro_list(const struct milter *m, enum milter_stage stage)
{
	stage = list_of(stage);
	return m->macros[stage] ? m->macros[stage] : m->conf->macros[stage];
}

/* "{name}" and "name" are the same. */
static str bare(str name)
{
	if (name.n >= 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		return str_mem(name.p + 1, name.n - 2);
	return name;
}

/* One of milter_macro_defaults: "name=value", "{name}=value", "{ name = value }". */
static bool default_is(str word, str name, str *value)
{
	ptrdiff_t eq;

	if (word.n > 1 && word.p[0] == '{' && word.p[word.n - 1] == '}')
		word = bare(word);
	eq = str_chr(word, '=');
	if (eq < 0 || !str_eq(bare(str_trim(str_head(word, (size_t)eq))), name))
		return false;
	*value = str_trim(str_from(word, (size_t)eq + 1));
	return true;
}

static str default_value(str name)
{
	str rest = str_of(conf.milter_macro_defaults), word, value;

	while (str_word_braced(&rest, SEPS, &word))
		if (default_is(word, name, &value))
			return value;
	return (str){NULL, 0};
}

static str own_value(str name)
{
	if (str_eq(name, STR("j")))
		return str_of(conf.myhostname);
	if (str_eq(name, STR("v")))
		return str_of(conf.milter_macro_v);
	if (str_eq(name, STR("daemon_name")))
		return str_of(conf.milter_macro_daemon_name);
	return default_value(name);
}

static str packed_value(const struct milter_chain *c, str name)
{
	str rest = buf_view(&c->packed), key, value;

	while (milter_take_z(&rest, &key) && milter_take_z(&rest, &value))
		if (str_eq(bare(key), name))
			return value;
	return (str){NULL, 0};
}

str milter_macro_value(struct milter_chain *c, str name)
{
	str value = {NULL, 0};

	if (c->macro)
		value = c->macro(c->ctx, name);
	if (!value.p)
		value = packed_value(c, bare(name));
	return value.p ? value : own_value(bare(name));
}

void milter_put_macros(struct milter *m, enum milter_stage stage, struct buf *out)
{
	str rest = str_of(milter_macro_list(m, stage)), name, value;
	size_t at = milter_packet_begin(out, 'D'), empty;

	buf_char(out, milter_stages[stage].cmd);
	empty = out->n;
	while (str_word(&rest, SEPS, &name)) {
		value = milter_macro_value(m->chain, name);
		if (!value.p)
			continue;
		milter_put_z(out, name);
		milter_put_z(out, value);
	}
	/* Nothing to say; but what was said before must not stand any longer. */
	if (out->n == empty && !(m->macros_sent & 1U << stage)) {
		buf_cut(out, at);
		return;
	}
	m->macros_sent =
	    out->n == empty ? m->macros_sent & ~(1U << stage) : m->macros_sent | 1U << stage;
	milter_packet_end(out, at);
}

const char *milter_queue_id(struct milter_chain *c, char *room, size_t size)
{
	str id = milter_macro_value(c, STR("i"));

	if (id.n == 0 || id.n >= size)
		return "NOQUEUE";
	memcpy(room, id.p, id.n);
	room[id.n] = 0;
	return room;
}
