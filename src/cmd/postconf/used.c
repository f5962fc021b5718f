/* Names that users made: in use when something refers to them. */
#include "used.h"
#include "base/mem.h"
#include "param/expand.h"
#include "pc.h"

static struct htab by_main;    /* referred to by main.cf and by defaults */
static struct htab by_options; /* by options in master.cf */
static struct htab clients;    /* "<name>_<what>" of database clients that used parameters name */

void pc_scan(str name, str text, expand_look look, void *ctx)
{
	struct err err = {0};

	if (pc_is_raw(name) || expand_scan(text, look, ctx, &err) == 0)
		return;
	pc_warn(err.text);
	if (pc_name_find(name))
		pc_fatal("macro processing error");
}

bool pc_is_raw(str name)
{
	const struct param_row *row = param_find(name);

	return row && row->type == PARAM_TYPE_RAW;
}

bool pc_option_split(const struct pc_arg *a, str *name, const char **value)
{
	const char *eq = a->option ? strchr(a->text, '=') : NULL;

	if (!eq || eq == a->text)
		return false;
	*name = str_mem(a->text, (size_t)(eq - a->text));
	*value = eq + 1;
	return true;
}

static const char *look_refer(void *ctx, str name)
{
	htab_set(ctx, name, ctx);
	return NULL;
}

static void refer(struct htab *to, str name, const char *value)
{
	str rest = str_of(value), word;

	if (!pc_is_raw(name))
		expand_scan(str_of(value), look_refer, to, NULL);
	if (!str_eq(name, STR("smtpd_restriction_classes")))
		return;
	while (str_word(&rest, ", \t\r\n", &word))
		htab_set(to, word, to);
}

void pc_refer_options(struct htab *to, const struct pc_service *s)
{
	const char *value;
	str name;

	for (size_t i = 0; i < s->noptions; i++)
		if (pc_option_split(&s->args[i], &name, &value))
			refer(to, name, value);
}

void pc_find_option_clients(struct htab *to, const struct pc_service *s)
{
	const char *value;
	str name;

	for (size_t i = 0; i < s->noptions; i++)
		if (pc_option_split(&s->args[i], &name, &value))
			pc_find_clients(to, value);
}

bool pc_is_referenced(str name)
{
	return htab_find(&by_main, name) != NULL;
}

static bool is_used(str name)
{
	return pc_is_referenced(name) || htab_find(&by_options, name) || htab_find(&clients, name);
}

/* Tables that are named in parameters which somebody uses. */
static void collect_clients(void)
{
	HTAB_FOREACH (e, &pc_main.names) {
		str name = str_mem(e->key, e->n);

		if (pc_name_find(name) || is_used(name))
			pc_find_clients(&clients, ((const struct maincf_entry *)e->value)->value);
	}
	for (size_t i = 0; i < pc_master.n; i++)
		pc_find_option_clients(&clients, &pc_master.v[i]);
}

void pc_collect_users(void (*add)(const char *name))
{
	for (size_t i = 0; i < param_count; i++)
		if (param_rows[i].def)
			refer(&by_main, str_of(param_rows[i].name), param_rows[i].def);
	HTAB_FOREACH (e, &pc_main.names) {
		refer(&by_main, str_mem(e->key, e->n),
		    ((const struct maincf_entry *)e->value)->value);
	}
	for (size_t i = 0; i < pc_master.n; i++)
		pc_refer_options(&by_options, &pc_master.v[i]);
	collect_clients();
	HTAB_FOREACH (e, &pc_main.names) {
		if (is_used(str_mem(e->key, e->n)))
			add(e->key);
	}
}
