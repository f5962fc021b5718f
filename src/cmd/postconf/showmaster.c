/* -M, -F, -P: what master.cf has. */
#include "base/mem.h"
#include "used.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct requests {
	struct pc_request *v;
	size_t n;
};

static struct requests parse_all(char **args, int max_parts, const char *usage)
{
	struct requests r = {0};

	while (args[r.n])
		r.n++;
	r.v = mem_zero((r.n + 1) * sizeof(*r.v));
	for (size_t i = 0; i < r.n; i++) {
		r.v[i] = pc_request_parse(args[i], max_parts, false);
		if (r.v[i].parts <= 0)
			pc_fatal("%s", usage);
	}
	if (r.n == 0)
		r.v[r.n++] = pc_request_parse("*", max_parts, false);
	return r;
}

static void requests_end(struct requests *r, bool all)
{
	for (size_t i = 0; i < r->n && !all; i++)
		if (!r->v[i].matched)
			pc_warnf("unmatched request: \"%s\"", r->v[i].text);
	free(r->v);
}

static void print_text(const char *head, const char *value)
{
	if (pc_mode & PC_JSON) {
		json_t *o = json_object();

		json_object_set_new(o, "name", json_string(head));
		json_object_set_new(o, "value", json_string(value));
		char *text = json_dumps(o, JSON_PRESERVE_ORDER);
		printf("%s\n", text ? text : "{}");
		free(text);
		json_decref(o);
	} else if (pc_mode & PC_NO_VALUES) {
		printf("%s\n", head);
	} else if (pc_mode & PC_NO_NAMES) {
		printf("%s\n", value);
	} else {
		printf(*value ? "%s = %s\n" : "%s =\n", head, value);
	}
}

static void show_service(const struct pc_service *s)
{
	struct param_scope scope;
	struct buf out = {0}, name = {0};

	pc_service_scope(&scope, s);
	pc_service_print(&out, s, pc_mode & PC_FOLD, pc_mode & PC_EXPAND ? &scope : NULL);
	buf_printf(&name, "%s/%s", s->field[0], s->field[1]);
	if (pc_mode & PC_JSON)
		print_text(buf_text(&name), buf_text(&out));
	else
		printf("%s\n", buf_text(&out));
	param_scope_free(&scope);
	buf_free(&name);
	buf_free(&out);
}

void pc_show_master(char **args)
{
	struct requests r = parse_all(args, 2, "-M option requires service_name[/type]");

	for (size_t i = 0; i < pc_master.n; i++)
		for (size_t k = 0; k < r.n; k++) {
			if (!pc_request_has(&r.v[k], &pc_master.v[i]))
				continue;
			r.v[k].matched = true;
			show_service(&pc_master.v[i]);
		}
	requests_end(&r, !*args);
}

static void show_field(const struct pc_service *s, int field)
{
	struct param_scope scope;
	struct buf head = {0}, value = {0};

	pc_service_scope(&scope, s);
	buf_printf(&head, "%s/%s/%s", s->field[0], s->field[1], pc_field_names[field]);
	if (field == PC_FIELD_COMMAND)
		pc_command_print(&value, s, pc_mode & PC_NO_NAMES ? 0 : head.n + 3,
		    pc_mode & PC_FOLD, pc_mode & PC_EXPAND ? &scope : NULL);
	else
		buf_cstr(&value, s->field[field]);
	print_text(buf_text(&head), buf_text(&value));
	buf_free(&head);
	buf_free(&value);
	param_scope_free(&scope);
}

static void show_fields_of(struct pc_request *r, const struct pc_service *s)
{
	if (!pc_request_has(r, s))
		return;
	for (int f = 0; f < PC_FIELD_COUNT; f++) {
		if (!pc_part_matches(r->part[2], pc_field_names[f]))
			continue;
		r->matched = true;
		show_field(s, f);
	}
}

void pc_show_fields(char **args)
{
	struct requests r = parse_all(args, 3, "-F option requires service_name[/type[/field]]");

	for (size_t i = 0; i < r.n; i++)
		if (!str_eq(r.v[i].part[2], STR("*")) && pc_field_find(r.v[i].part[2]) < 0)
			pc_fatal(
			    "invalid service attribute name: \"%.*s\"", STR_FMT(r.v[i].part[2]));
	for (size_t i = 0; i < pc_master.n; i++)
		for (size_t j = 0; j < r.n; j++)
			show_fields_of(&r.v[j], &pc_master.v[i]);
	requests_end(&r, !*args);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a service's options, sorted, each once; the caller frees the array and the names. */
static char **option_names(const struct pc_service *s, size_t *count)
{
	char **v = mem_zero((s->noptions + 1) * sizeof(char *));
	const char *value;
	size_t n = 0, kept = 0;
	str name;

	for (size_t i = 0; i < s->noptions; i++)
		if (pc_option_split(&s->args[i], &name, &value))
			v[n++] = str_dup(name);
	qsort(v, n, sizeof(char *), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(v[kept - 1], v[i]) == 0)
			free(v[i]);
		else
			v[kept++] = v[i];
	}
	*count = kept;
	return v;
}

static void show_param(struct param_scope *scope, const struct pc_service *s, const char *name)
{
	struct buf head = {0}, value = {0};

	if (pc_value(scope, name, &value)) {
		buf_printf(&head, "%s/%s/%s", s->field[0], s->field[1], name);
		pc_print(buf_text(&head), buf_view(&value));
	}
	buf_free(&head);
	buf_free(&value);
}

static void show_params_of(struct requests *r, const struct pc_service *s)
{
	struct param_scope scope;
	size_t n;
	char **names = option_names(s, &n);

	pc_service_scope(&scope, s);
	for (size_t j = 0; j < r->n; j++) {
		for (size_t i = 0; i < n && pc_request_has(&r->v[j], s); i++) {
			if (!pc_part_matches(r->v[j].part[2], names[i]))
				continue;
			r->v[j].matched = true;
			show_param(&scope, s, names[i]);
		}
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	param_scope_free(&scope);
}

void pc_show_params(char **args)
{
	struct requests r =
	    parse_all(args, 3, "-P option requires service_name[/type[/parameter]]");

	for (size_t i = 0; i < pc_master.n; i++)
		show_params_of(&r, &pc_master.v[i]);
	requests_end(&r, !*args);
}
