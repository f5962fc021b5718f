#include "pc.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_WIDTH 80

void pc_squeeze(struct buf *out, str s)
{
	str word;
	bool first = true;

	while (str_word(&s, " \t\r\n\f\v", &word)) {
		if (!first)
			buf_char(out, ' ');
		buf_str(out, word);
		first = false;
	}
}

static void print_json(const char *name, str value)
{
	json_t *o = json_object(), *v = json_stringn(value.p, value.n);

	json_object_set_new(o, "name", json_string(name));
	json_object_set_new(o, "value", v ? v : json_null());
	char *text = json_dumps(o, JSON_PRESERVE_ORDER);
	printf("%s\n", text ? text : "{}");
	free(text);
	json_decref(o);
}

/* Words on lines of at most LINE_WIDTH columns, the second and later ones indented. */
static void print_folded(str head, str value)
{
	size_t col = head.n;
	str word;

	printf("%.*s", STR_FMT(head));
	while (str_word(&value, " ", &word)) {
		bool blank = col > 0;

		if (col && col + 1 + word.n > LINE_WIDTH) {
			printf("\n   ");
			col = 3;
			blank = true;
		}
		printf(blank ? " %.*s" : "%.*s", STR_FMT(word));
		col += blank + word.n;
	}
	putchar('\n');
}

void pc_print(const char *name, str value)
{
	struct buf head = {0}, flat = {0};

	pc_squeeze(&flat, value);
	if (pc_mode & PC_JSON) {
		print_json(name, buf_view(&flat));
	} else if (pc_mode & PC_NO_VALUES) {
		printf("%s\n", name);
	} else {
		if (!(pc_mode & PC_NO_NAMES))
			buf_printf(&head, "%s =", name);
		if (pc_mode & PC_FOLD)
			print_folded(buf_view(&head), buf_view(&flat));
		else
			printf(head.n && flat.n ? "%s %s\n" : "%s%s\n", buf_text(&head),
			    buf_text(&flat));
	}
	buf_free(&head);
	buf_free(&flat);
}

bool pc_value(struct param_scope *s, const char *name, struct buf *out)
{
	struct err err = {0};
	const char *value = NULL;

	buf_clear(out);
	if (!(pc_mode & PC_EXPAND)) {
		value = param_raw(s, str_of(name));
	} else if (param_value(s, str_of(name), &value, &err) != 0) {
		pc_warn(err.text);
		pc_fatal("macro processing error");
	}
	if (value)
		buf_cstr(out, value);
	return value != NULL;
}

static bool is_set(const char *name)
{
	if (strcmp(name, "process_id") == 0 || strcmp(name, "process_name") == 0)
		return false;
	return maincf_get(&pc_main, str_of(name)) ||
	       (pc_dir_given && strcmp(name, "config_directory") == 0);
}

static void show_one(const struct pc_name *n, struct buf *value)
{
	if ((pc_mode & PC_SET_ONLY) && !is_set(n->name))
		return;
	if (pc_value(&pc_scope, n->name, value))
		pc_print(n->name, buf_view(value));
}

void pc_show_main(unsigned classes, char **names)
{
	struct buf value = {0};

	if (!*names) {
		for (size_t i = 0; i < pc_names_count; i++)
			if (pc_names[i].class & classes)
				show_one(&pc_names[i], &value);
	}
	for (; *names; names++) {
		const struct pc_name *n = pc_name_find(str_of(*names));

		if (n) /* whatever its class */
			show_one(n, &value);
		else
			pc_warnf("%s: unknown parameter", *names);
	}
	buf_free(&value);
}
